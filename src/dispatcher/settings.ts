/** How a dispatcher keeps what it holds, and what it lets pass. All times in milliseconds. */
export interface DispatcherSettings {
  /** How long a job or node stays ours without a heartbeat. */
  readonly leaseMs: number;
  /** How long after the database's start a node's holder may still renew what ran out while it was down. */
  readonly leaseGraceMs: number;
  readonly heartbeatMs: number;
  /** How often nodes are looked for, and six times as often while there is none. */
  readonly tendMs: number;
  /** How long a missed ring can go unnoticed. */
  readonly pollMs: number;
  /** At most one STEP and one PREVIEW per job in this time. */
  readonly progressMs: number;
  /** How often an engine may fail a job before the job is FAILED. */
  readonly attemptsMax: number;
  /** What becomes of a job whose picture is noise or flat: it ends FAILED, or only the log tells of it. */
  readonly pictureCheck: 'refuse' | 'log';
}

export const DEFAULT_DISPATCHER_SETTINGS: DispatcherSettings = {
  leaseMs: 5_000,
  leaseGraceMs: 5_000,
  heartbeatMs: 1_500,
  tendMs: 1_500,
  pollMs: 1_000,
  progressMs: 100,
  attemptsMax: 3,
  pictureCheck: 'refuse',
};
