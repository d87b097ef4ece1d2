import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { EngineErrorCode, Engines, Part, Rows } from './engines.ts';
import { EngineError } from './engines.ts';
import type { DispatcherLogger } from './log.ts';
import type { NodeConnection, ServedModel } from './node-connector.ts';
import { blankRow } from './rows.ts';

/**
 * Which models of a node are given no calls, although the node says that they are ready: what a server knows of
 * itself is that a model is loaded, not that it answers.
 *
 * | a model | is |
 * |---|---|
 * | on which a call fails by its own fault | in doubt: out until it has answered a trial, at once the first time |
 * | that answers the trial | back; the next failure before a call succeeds keeps it out for a while |
 * | that fails the trial | out until the next one, later each time |
 * | whose process died, and is dead at the trial or died twice in a minute | unloaded and loaded, then tried |
 */
export interface Doubts {
  /** The node's engines. Their calls tell how the models are. */
  readonly engines: Engines;
  /**
   * Forgets models that the node does not list among those that are ready: when it does again, somebody has loaded
   * them. What the dispatcher itself has unloaded is remembered.
   */
  heed(listed: readonly Pick<ServedModel, 'name' | 'version'>[]): void;
  isOut(model: Pick<ServedModel, 'name' | 'version'>): boolean;
  /** Whether a trial is due. */
  isDue(): boolean;
  /** When the next trial is due, on the monotonic clock; infinite when no model is out. */
  dueAtMs(): number;
  /** Tries the models that are due. Never rejects. */
  tryDue(signal: AbortSignal): Promise<void>;
}

export interface DoubtsDeps {
  /** Stands in the log. */
  readonly node: string;
  readonly connection: Pick<NodeConnection, 'engines' | 'load' | 'unload'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
}

/** One model as its calls have shown it. */
interface Known {
  readonly part: Part;
  /** A row of the form that was answered once; until then of the form that was not. */
  trial: Rows | null;
  hasAnswered: boolean;
  /** Failures since the last call that succeeded, trials among them. */
  failures: number;
  isOut: boolean;
  tryAtMs: number;
  crashedAtMs: number;
  /** Another crash came soon after one that a trial did not show: one of several processes is dead, perhaps. */
  isToBeReloaded: boolean;
  /** Unloaded by us, and not loaded since. */
  isUnloaded: boolean;
  isTold: boolean;
}

const TRIAL_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 30_000 };
const CRASH_MEMORY_MS = 60_000;

// Of the model. A node that is away, drains or is full says so when it is probed.
const TELLING: ReadonlySet<EngineErrorCode> = new Set([
  'CRASHED',
  'FAILED',
  'BAD_ANSWER',
  'TIMED_OUT',
  'NOT_LOADED',
  'REFUSED',
]);

export function createDoubts({ node, connection, clock, random, logger }: DoubtsDeps): Doubts {
  const models = new Map<string, Known>();

  async function infer(part: Part, rows: Rows, signal: AbortSignal): Promise<Rows> {
    const model = models.get(keyOf(part)) ?? newlyKnown(part);
    models.set(keyOf(part), model);
    const { failures } = model;
    try {
      const answer = await connection.engines.infer(part, rows, signal);
      if (!model.hasAnswered) Object.assign(model, { hasAnswered: true, trial: blankRow(rows) });
      if (!model.isOut) model.failures = 0;
      return answer;
    } catch (error) {
      // Of calls that were in flight together one counts.
      if (isTelling(error) && model.failures === failures) {
        model.trial ??= blankRow(rows);
        if (error.code === 'CRASHED') noteCrash(model, clock.monotonicMs());
        putOut(model, { clock, random });
      }
      throw error;
    }
  }

  async function tryOut(model: Known, signal: AbortSignal): Promise<void> {
    const { part, failures } = model;
    try {
      await prove(connection, model, signal);
      model.isOut = false;
      if (model.isTold) logger.info({ node, model: part.model }, 'a model answers again');
      model.isTold = false;
    } catch (error) {
      if (signal.aborted) return;
      putOut(model, { clock, random });
      if (!model.isTold)
        logger.failed(error, { node, model: part.model, failures }, 'a model is given no more calls');
      model.isTold = true;
    }
  }

  const out = () => [...models.values()].filter(({ isOut }) => isOut);
  const due = () => out().filter(({ tryAtMs }) => tryAtMs <= clock.monotonicMs());
  return {
    engines: { infer },
    heed(listed) {
      const keys = new Set(listed.map(({ name, version }) => keyOf({ model: name, version })));
      for (const [key, { isUnloaded }] of models) if (!keys.has(key) && !isUnloaded) models.delete(key);
    },
    isOut: ({ name, version }) => models.get(keyOf({ model: name, version }))?.isOut ?? false,
    isDue: () => due().length > 0,
    dueAtMs: () => Math.min(...out().map(({ tryAtMs }) => tryAtMs)),
    async tryDue(signal) {
      await Promise.all(due().map((model) => tryOut(model, signal)));
    },
  };
}

function putOut(model: Known, { clock, random }: Pick<DoubtsDeps, 'clock' | 'random'>): void {
  const delayMs = model.failures === 0 ? 0 : backoffMs(TRIAL_BACKOFF, model.failures - 1, random);
  Object.assign(model, { isOut: true, failures: model.failures + 1, tryAtMs: clock.monotonicMs() + delayMs });
}

function noteCrash(model: Known, nowMs: number): void {
  model.isToBeReloaded = nowMs - model.crashedAtMs < CRASH_MEMORY_MS;
  model.crashedAtMs = nowMs;
}

/** Resolves once the model has answered a call that is nobody's, loaded anew where that is what it needs. */
async function prove(
  { engines, load, unload }: DoubtsDeps['connection'],
  model: Known,
  signal: AbortSignal,
): Promise<void> {
  const ask = () => engines.infer(model.part, model.trial ?? {}, signal);
  try {
    if (!model.isToBeReloaded) {
      await ask();
      return;
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code !== 'CRASHED' && !(error.code === 'NOT_LOADED' && model.isUnloaded)) throw error;
  }
  if (!model.isUnloaded) await unload(model.part.model, signal);
  model.isUnloaded = true;
  await load(model.part.model, signal);
  Object.assign(model, { isUnloaded: false, isToBeReloaded: false });
  await ask();
}

function newlyKnown(part: Part): Known {
  return {
    part,
    trial: null,
    hasAnswered: false,
    failures: 0,
    isOut: false,
    tryAtMs: 0,
    crashedAtMs: Number.NEGATIVE_INFINITY,
    isToBeReloaded: false,
    isUnloaded: false,
    isTold: false,
  };
}

function isTelling(error: unknown): error is EngineError {
  return error instanceof EngineError && error.fault === 'node' && TELLING.has(error.code);
}

function keyOf({ model, version }: Pick<Part, 'model' | 'version'>): string {
  return `${model} ${version}`;
}
