export type { Metering, Settlement } from './metering.ts';
export { createMetering, grantCredits, priceOf, reserve, settle } from './metering.ts';
