export type { ClaimedJob } from './claim-store.ts';
export type { Pulse, Renewal } from './lease-store.ts';
export { OrphanError, POISONED, RECOVERIES_MAX } from './reap-store.ts';
export type { Counted } from './release-store.ts';
export type { Scheduling } from './scheduling.ts';
export { createScheduling, reap, trimHistory } from './scheduling.ts';
