import type { JobEvent } from '../event.ts';
import { isTerminal } from '../event.ts';
import type { Feed, Feeds } from './feeds.ts';
import { fillGaps } from './gaps.ts';
import type { JobKey, Page, Reads } from './read.ts';

export interface FollowDeps {
  readonly reads: Reads;
  readonly feeds: Feeds;
}

export interface Start {
  readonly key: JobKey;
  /** The number of the last event that the reader has. */
  readonly after: number;
  /** What stands above it. */
  readonly page: Page;
}

/**
 * One reader's way through a job's events. It holds one event, or one page while it replays, whatever
 * its client does.
 *
 * | where the reader is               | what it gets                                                     |
 * | --------------------------------- | ---------------------------------------------------------------- |
 * | replaying, below the feed         | every event, page by page, by reads of its own                   |
 * | at the feed                       | every event, as the feed reads it for all                        |
 * | fallen behind what the feed keeps | every state event, the newest STEP and PREVIEW, and then the feed |
 *
 * What was left out, or has gone, is told as a GAP.
 */
export async function* followJob(
  { reads, feeds }: FollowDeps,
  { key, after, page: first }: Start,
  signal: AbortSignal,
): AsyncGenerator<JobEvent, void, undefined> {
  using feed = feeds.join(key);
  const position: Position = { told: after, reached: after, isOver: false };
  yield* tellPage(feed, position, { page: first, from: null });
  let hasCaughtUp = false;
  while (!position.isOver && !signal.aborted) {
    if (isWithin(feed, position)) {
      hasCaughtUp = true;
      yield* tellNext(feed, position, signal);
      continue;
    }
    // Noted before the read: what the feed has let go of by now, the read can see.
    const { from } = feed;
    const read = hasCaughtUp ? reads.latest : reads.page;
    const page = await read(key, position.told, signal);
    if (page) yield* tellPage(feed, position, { page, from });
  }
}

interface Position {
  /** The number of the last event that was told. */
  told: number;
  /** Nothing up to here is left to tell: what was not told is gone, or was left out. */
  reached: number;
  isOver: boolean;
}

function isWithin({ from }: Feed, { reached }: Position): boolean {
  return from !== null && reached >= from;
}

function* tellPage(
  feed: Feed,
  position: Position,
  { page, from }: { readonly page: Page; readonly from: number | null },
): Generator<JobEvent, void, undefined> {
  yield* tell(position, page.events);
  position.isOver ||= page.isOver;
  position.reached = position.told;
  if (position.isOver || page.isFull) return;
  feed.start(page.last);
  // Progress is lost in a crash of the database: then the read does not show all that the feed has had.
  position.reached = Math.max(position.told, from ?? 0);
}

async function* tellNext(feed: Feed, position: Position, signal: AbortSignal) {
  const next = feed.next(position.reached);
  if (next) {
    position.reached = next.sequence;
    yield* tell(position, [next]);
  } else if (feed.isOver) position.isOver = true;
  else await feed.changed(signal);
}

function* tell(position: Position, events: readonly JobEvent[]): Generator<JobEvent, void, undefined> {
  for (const event of fillGaps(position.told, events)) {
    position.told = event.sequence;
    position.isOver = isTerminal(event.type);
    yield event;
  }
}
