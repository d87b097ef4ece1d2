export { createBell } from './bell.ts';
export { createDoorbell } from './doorbell.ts';
