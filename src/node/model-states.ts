import { messageOf } from '../kernel/errors.ts';
import type { ModelIndex, ModelRef } from '../platform/kserve/index.ts';
import { KserveError, status } from '../platform/kserve/index.ts';
import { findModel, isServedVersion, type ServedModel, type ServedModels } from './served-models.ts';
import type { SessionPool } from './session-pool.ts';
import type { Statistics } from './statistics.ts';

/**
 * Which models can be called. All are READY at the start; from then on
 *
 *     READY -unload-> UNLOADING -its last request ends-> UNAVAILABLE -load-> LOADING -> READY or UNAVAILABLE
 *
 * where a load of a model that is UNLOADING begins at once, and an unload of one that is LOADING wins. Errors are
 * `KserveError`s with Triton's codes and words (read from a running 2.51).
 */
export interface ModelStates {
  /** The model if it is READY. Throws NOT_FOUND, UNAVAILABLE when this version is known and not READY, INVALID_ARGUMENT. */
  find(ref: ModelRef): ServedModel;
  /** Throws INVALID_ARGUMENT alone, for a version that is not a number. */
  isReady(ref: ModelRef): boolean;
  /** The models that are READY. */
  ready(): readonly ServedModel[];
  index(): readonly ModelIndex[];
  /** Runs `work` on a READY model: an unload waits for it. Rejects as `find` throws. */
  use<T>(ref: ModelRef, work: (model: ServedModel) => Promise<T>): Promise<T>;
  /**
   * Resolves when the model is READY, its graph loaded by one worker. Rejects with INTERNAL when there is no such
   * model, INVALID_ARGUMENT when its files cannot be loaded.
   */
  load(name: string): Promise<void>;
  /** Lets no more requests in; what workers have loaded goes when the last is out. Does nothing for an unknown model. */
  unload(name: string): void;
}

export interface ModelStatesDeps {
  readonly models: ServedModels;
  readonly pool: Pick<SessionPool, 'run' | 'release' | 'isLoadable'>;
  readonly statistics: Pick<Statistics, 'forget'>;
}

type Phase = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

interface State {
  readonly model: ServedModel;
  phase: Phase;
  reason: string;
  /** Requests on it. */
  inside: number;
}

const never = new AbortController().signal;

export function createModelStates(deps: ModelStatesDeps): ModelStates {
  const { models, pool } = deps;
  const states = new Map<string, State>();
  for (const [name, model] of models) states.set(name, { model, phase: 'READY', reason: '', inside: 0 });
  const { load, settle } = createTransitions(states, deps);

  function find(ref: ModelRef): State {
    const model = findModel(models, ref);
    const state = states.get(model.name);
    if (state?.phase === 'READY') return state;
    throw notReady(model, ref);
  }

  return {
    find: (ref) => find(ref).model,
    isReady({ name, version = '' }) {
      const state = states.get(name);
      const isServed = isServedVersion(version, state?.model);
      return isServed && state?.phase === 'READY' && pool.isLoadable(state.model.file);
    },
    ready: () => [...states.values()].flatMap(({ model, phase }) => (phase === 'READY' ? [model] : [])),
    index: () => [...states.values()].map((state) => toIndex(state, pool.isLoadable(state.model.file))),
    async use(ref, work) {
      const state = find(ref);
      state.inside += 1;
      try {
        return await work(state.model);
      } finally {
        state.inside -= 1;
        settle(state);
      }
    },
    async load(name) {
      const state = states.get(name);
      if (!state) {
        const what = `failed to load '${name}', failed to poll from model repository`;
        throw new KserveError(status.INTERNAL, what);
      }
      if (state.phase !== 'READY') await load(state);
    },
    unload(name) {
      const state = states.get(name);
      if (!state || state.phase === 'UNAVAILABLE') return;
      // A load in progress finds this when it ends.
      const isLoading = state.phase === 'LOADING';
      state.phase = 'UNLOADING';
      if (!isLoading) settle(state);
    },
  };
}

function createTransitions(states: ReadonlyMap<string, State>, { pool, statistics }: ModelStatesDeps) {
  function settle(state: State): void {
    const { model, phase, inside } = state;
    if (phase !== 'UNLOADING' || inside > 0) return;
    state.phase = 'UNAVAILABLE';
    state.reason = 'unloaded';
    statistics.forget(model.name);
    // A model of another name may be the same graph.
    const sharing = [...states.values()].filter((each) => each.model.file === model.file);
    if (sharing.every((each) => each.phase === 'UNAVAILABLE')) pool.release(model.file);
  }

  function finish(state: State, phase: Phase, reason: string): void {
    if (state.phase === 'LOADING') Object.assign(state, { phase, reason });
    settle(state);
  }

  async function load(state: State): Promise<void> {
    const { name, version, file, maxBatch: rowsMax } = state.model;
    Object.assign(state, { phase: 'LOADING', reason: '' });
    try {
      await pool.run({ model: name, file, id: '', rowsMax, inputs: [], outputs: [] }, never);
      finish(state, 'READY', '');
    } catch (error) {
      const reason = `Internal: ${messageOf(error)}`;
      finish(state, 'UNAVAILABLE', reason);
      const what = `load failed for model '${name}': version ${version} is at UNAVAILABLE state: ${reason};`;
      throw new KserveError(status.INVALID_ARGUMENT, what, error);
    }
  }

  return { settle, load };
}

function toIndex({ model: { name, version }, phase, reason }: State, isLoadable: boolean): ModelIndex {
  if (phase === 'READY' && !isLoadable)
    return { name, version, state: 'UNAVAILABLE', reason: 'its files are damaged' };
  return { name, version, state: phase, reason };
}

function notReady({ name }: ServedModel, { version = '' }: ModelRef): KserveError {
  return version === ''
    ? new KserveError(status.NOT_FOUND, `Request for unknown model: '${name}' has no available versions`)
    : new KserveError(
        status.UNAVAILABLE,
        `Request for unknown model: '${name}' version ${version} is not at ready state`,
      );
}
