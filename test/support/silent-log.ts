import type { FailureLog } from '../../src/kernel/outage.ts';

/** For tests that are not about the log. */
export const silentLog: FailureLog = { info() {}, warn() {}, error() {}, failed: () => true };
