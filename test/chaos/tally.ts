import type { FaultPoint } from '../../src/kernel/fault-points.ts';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
import type { FaultCounts } from './lives.ts';

/** What was done to the processes of a run. */
export interface Tally {
  readonly faults: { -readonly [Name in keyof FaultCounts]: number };
  /** Kills of what all others need, by its name. */
  readonly serverKills: Map<string, number>;
  /** How often a process died or stopped at each named point. */
  readonly reached: Map<FaultPoint, number>;
  /** Points that a process was armed for and did not come by in time. */
  readonly missed: FaultPoint[];
}

export function createTally(): Tally {
  return {
    faults: { kills: 0, pauses: 0, terminations: 0 },
    serverKills: new Map(),
    reached: new Map(),
    missed: [],
  };
}

export function countOne<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Points at which no process has died or stopped so far. */
export function waitingIn({ reached }: Pick<Tally, 'reached'>): readonly FaultPoint[] {
  return FAULT_POINTS.filter((point) => !reached.has(point));
}

/** All of them, those of the servers included. */
export function faultsIn({ faults, serverKills }: Tally): number {
  const servers = [...serverKills.values()].reduce((sum, count) => sum + count, 0);
  return faults.kills + faults.pauses + faults.terminations + servers;
}
