export type { Fleet } from './fleet.ts';
export { createFleet } from './fleet.ts';
export type { EngineRecord, HeldNode, NodeRecord } from './store.ts';
export { isServed } from './store.ts';
