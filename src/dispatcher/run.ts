import type { VariantVersion } from '../domains/catalog/index.ts';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import type { GenerationPlan } from '../diffusion/index.ts';
import type { ReadyNode } from './held-nodes.ts';
import type { NodeEngine } from './served-engines.ts';

/**
 * One job while this dispatcher holds it. The step loop writes `step` and `preview`; the progress
 * writer turns them into events; the heartbeat reads `step` and tells of cancels and lost leases.
 */
export interface Run {
  readonly job: ClaimedJob;
  readonly node: ReadyNode;
  readonly engine: NodeEngine;
  readonly version: VariantVersion;
  readonly plan: GenerationPlan;
  /** Evaluations that every picture of the job has behind it. */
  step: number;
  /** What the next flush tells, and what the last one told. */
  reportedStep: number;
  /** The step of the preview that is being made or waits to be told; no later STEP is told before it. */
  previewStep: number | null;
  preview: string | null;
  nextSequence: number;
  sequenceMax: number;
  /** Why the loop must end before its next call; null while it may go on. */
  interruption: Interruption | null;
  /** True once the verdict is being written: from then on a lease that cannot be renewed means nothing. */
  isEnding: boolean;
  /** Fires at the first interruption: what waits for a call then does not need it any more. */
  readonly stopped: AbortController;
  /** Fires with `LOST` only: the one case in which a call in flight is of no use to anybody. */
  readonly lost: AbortController;
}

/**
 * - `CANCELLED`: the tenant asked for it; what ran is charged.
 * - `STOPPING`: this dispatcher ends; the job goes back into the queue at once.
 * - `LOST`: somebody else holds the job; nothing more may be written.
 */
export type Interruption = 'CANCELLED' | 'STOPPING' | 'LOST';

export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly interruption: Interruption;

  constructor(interruption: Interruption) {
    super(`The job was interrupted: ${interruption}.`);
    this.interruption = interruption;
  }
}

/** Marks the run; what was lost stays lost, and a drain does not undo a cancel. */
export function interrupt(run: Run, interruption: Interruption): void {
  if (run.interruption === 'LOST') return;
  if (run.interruption === 'CANCELLED' && interruption === 'STOPPING') return;
  run.interruption = interruption;
  const reason = new Interrupted(interruption);
  run.stopped.abort(reason);
  if (interruption === 'LOST') run.lost.abort(reason);
}

/** Throws `Interrupted` when the run may not go on. Called before each evaluation; a picture whose
 * evaluations have all run is finished whatever comes. */
export function throwIfInterrupted(run: Run): void {
  if (run.interruption) throw new Interrupted(run.interruption);
}
