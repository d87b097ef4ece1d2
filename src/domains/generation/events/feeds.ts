import { EventEmitter, once } from 'node:events';
import type { JobEvent } from '../event.ts';
import { isTerminal } from '../event.ts';
import type { JobKey, Reads } from './read.ts';
import type { Waiters } from './waiters.ts';
import type { Window } from './window.ts';
import { createWindow } from './window.ts';

/**
 * A job's events as they come, read once for all who follow the job in this process. It reads from the
 * moment it is started until its last reader leaves.
 */
export interface Feed extends Disposable {
  /** Begins to read above `last`, which must be the number of an event that is written, or 0. Once is enough. */
  start(last: number): void;
  /** Who has everything up to this number finds what follows here; null before the start. */
  readonly from: number | null;
  /** The first event above `after`, or null when there is none yet. */
  next(after: number): JobEvent | null;
  /** True when nothing will be added any more. Throws what the feed failed of. */
  readonly isOver: boolean;
  /** Resolves at the next change, or when `signal` fires. */
  changed(signal: AbortSignal): Promise<void>;
}

export interface Feeds {
  /** The feed of one tenant's job; dispose of it to leave. */
  join(key: JobKey): Feed;
}

export interface FeedsDeps {
  readonly reads: Reads;
  readonly waiters: Waiters;
}

// What a lost ring leaves unseen is found this much later.
const POLL_MS = 1_000;

export function createFeeds(deps: FeedsDeps): Feeds {
  const sources = new Map<string, Source>();
  return {
    join(key) {
      // The tenant is part of the name: whoever asks for another's job shares nothing with its owner.
      const name = `${key.tenantId}/${key.jobId}`;
      const known = sources.get(name);
      const source = known && known.failure === null ? known : createSource(key);
      sources.set(name, source);
      source.readers += 1;
      let hasLeft = false;
      return {
        ...feedOn(deps, source),
        get from() {
          return source.window?.from ?? null;
        },
        get isOver() {
          if (source.failure) throw source.failure.reason;
          return source.isOver;
        },
        [Symbol.dispose]() {
          if (hasLeft) return;
          hasLeft = true;
          source.readers -= 1;
          if (source.readers > 0) return;
          source.abandoned.abort();
          if (sources.get(name) === source) sources.delete(name);
        },
      };
    },
  };
}

interface Source {
  readonly key: JobKey;
  readonly changes: EventEmitter;
  readonly abandoned: AbortController;
  window: Window | null;
  readers: number;
  isOver: boolean;
  failure: { readonly reason: unknown } | null;
}

function createSource(key: JobKey): Source {
  return {
    key,
    changes: new EventEmitter().setMaxListeners(0),
    abandoned: new AbortController(),
    window: null,
    readers: 0,
    isOver: false,
    failure: null,
  };
}

function feedOn(deps: FeedsDeps, source: Source): Pick<Feed, 'start' | 'next' | 'changed'> {
  return {
    start(last) {
      if (source.window) return;
      source.window = createWindow(last);
      void fill(deps, source, source.window).catch((reason: unknown) => {
        source.failure = { reason };
        source.changes.emit('change');
      });
    },
    next: (after) => source.window?.next(after) ?? null,
    async changed(signal) {
      await once(source.changes, 'change', { signal }).catch(() => undefined);
    },
  };
}

async function fill({ reads, waiters }: FeedsDeps, source: Source, window: Window): Promise<void> {
  const { key, changes, abandoned } = source;
  using watch = waiters.watch(key.jobId);
  while (!source.isOver) {
    const page = await reads.page(key, window.last, abandoned.signal);
    if (abandoned.signal.aborted || !page) return;
    window.push(page.events);
    source.isOver = page.isOver || page.events.some(({ type }) => isTerminal(type));
    if (page.events.length > 0 || source.isOver) changes.emit('change');
    if (!source.isOver && !page.isFull) await watch.next(POLL_MS, abandoned.signal);
  }
}
