export type { Child, ChildOptions, ExitInfo } from './child.ts';
export { startChild } from './child.ts';
export { isTaken, takeExclusive } from './exclusive.ts';
export type { Guardian } from './guardian.ts';
export { startGuardian } from './guardian.ts';
export { isAlive } from './is-alive.ts';
export { findLastingPort, isPortFree } from './ports.ts';
