export type { Metering, Settlement } from './metering.ts';
export { createMetering, grantCredits, priceOf, reserve, settle, shortfallOf } from './metering.ts';
