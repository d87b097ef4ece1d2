import type { Book } from './clients.ts';
import type { Findings } from './inspect.ts';
import type { FaultCounts } from './lives.ts';
import type { Tally } from './tally.ts';
import { faultsIn, waitingIn } from './tally.ts';
import type { Violation } from './violation.ts';

/** What a run came to; printed by `--json`. */
export interface Summary {
  readonly seed: string;
  readonly seconds: number;
  readonly jobs: number;
  readonly states: Readonly<Record<string, number>>;
  readonly faults: number;
  readonly kinds: FaultCounts & { readonly servers: Readonly<Record<string, number>> };
  /** How often a process was killed or stopped at each named point. */
  readonly reached: Readonly<Record<string, number>>;
  /** Points that a process was armed for and did not come by in time. */
  readonly missed: readonly string[];
  /** Points at which no process died or stopped. */
  readonly waiting: readonly string[];
  readonly lost: number;
  readonly doubleBilled: number;
  readonly attempts: number;
  readonly recoveries: number;
  /** Pictures that were compared with one of a quiet run, and those of them that differ by 1/255. */
  readonly compared: number;
  readonly close: number;
  /** Stored files that no picture leads to. */
  readonly orphans: number;
  /** How often a client was answered each code instead of what it asked for. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly failedStarts: number;
  readonly violations: readonly Violation[];
}

export interface Outcome {
  readonly seed: string;
  readonly seconds: number;
  readonly findings: Findings;
  readonly tally: Tally;
  readonly book: Book;
  readonly failedStarts: number;
  /** Those that were seen while it went on. */
  readonly violations: readonly Violation[];
}

export function summarise({ findings, tally, book, ...outcome }: Outcome): Summary {
  const violations = [...outcome.violations, ...findings.violations];
  const { attempts, recoveries, compared, close, orphans } = findings;
  return {
    seed: outcome.seed,
    seconds: outcome.seconds,
    jobs: book.accepted.size,
    states: findings.jobs,
    faults: faultsIn(tally),
    kinds: { ...tally.faults, servers: Object.fromEntries(tally.serverKills) },
    reached: Object.fromEntries(tally.reached),
    missed: tally.missed,
    waiting: waitingIn(tally),
    lost: subjectsOf(violations, 'lost'),
    doubleBilled: subjectsOf(violations, 'twice'),
    attempts,
    recoveries,
    compared,
    close,
    orphans,
    refusals: Object.fromEntries(book.refusals),
    failedStarts: outcome.failedStarts,
    violations,
  };
}

function subjectsOf(violations: readonly Violation[], invariant: Violation['invariant']): number {
  return new Set(violations.filter((each) => each.invariant === invariant).map(({ subject }) => subject))
    .size;
}

/** One line for people, one more for points at which nothing happened, and one for each broken promise. */
export function toText(summary: Summary): string {
  const { kills, pauses, terminations, servers } = summary.kinds;
  const servedKills = Object.entries(servers).map(([name, count]) => `${count} of the ${name}`);
  const line = [
    `${summary.jobs} jobs (${listOf(summary.states)})`,
    `${summary.faults} faults (${[`${kills} kills`, `${pauses} pauses`, `${terminations} terminations`, ...servedKills].join(', ')})`,
    `lost ${summary.lost}`,
    `double-billed ${summary.doubleBilled}`,
    `${summary.attempts} attempts`,
    `${summary.recoveries} recoveries`,
    `${summary.compared} pictures compared`,
    `${summary.orphans} orphan objects`,
    `${summary.violations.length} violations`,
    `seed ${summary.seed}`,
    `${summary.seconds} s`,
  ].join('; ');
  const broken = summary.violations.map(({ invariant, subject, what }) => `${invariant}: ${subject} ${what}`);
  const points = [
    ...(summary.waiting.length > 0 ? [`nothing died or stopped at: ${summary.waiting.join(', ')}`] : []),
    ...(summary.missed.length > 0 ? [`armed, and not come by in time: ${summary.missed.join(', ')}`] : []),
  ];
  return [line, ...points, ...broken].map((each) => `${each}\n`).join('');
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
