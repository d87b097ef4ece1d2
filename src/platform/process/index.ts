export type { Child, ChildOptions, ExitInfo } from './child.ts';
export { startChild } from './child.ts';
export { isTaken, takeExclusive } from './exclusive.ts';
export type { Guardian } from './guardian.ts';
export { startGuardian } from './guardian.ts';
