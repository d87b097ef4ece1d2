import pg from 'pg';
import type { Logger } from 'pino';
import type { Backoff } from '../../kernel/backoff.ts';
import { backoffMs } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { Outage } from '../../kernel/outage.ts';
import type { Random } from '../../kernel/random.ts';
import { systemRandom } from '../../kernel/random.ts';
import { quoteName } from './connect.ts';

export interface ListenerOptions {
  /** A direct connection: a transaction pooler carries no LISTEN. */
  readonly url: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Told of a connection that is lost. */
  readonly outage?: Outage;
}

/** Notifications of the database. They are hints: a lost connection loses those sent meanwhile. */
export interface Listener extends AsyncDisposable {
  /**
   * Calls `onNotify` with the payload of every notification on `channel`. Resolves when that is in
   * effect, so that a look at the tables afterwards misses nothing; while the connection is down it
   * resolves at once, and `onReconnect` follows. The returned function ends it.
   */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => void>;
  /** Calls `onReconnect` whenever notifications may have been missed: look at the tables then. */
  onReconnect(onReconnect: () => void): () => void;
}

const RECONNECT: Backoff = { firstMs: 50, maxMs: 5_000 };
const CONNECT_TIMEOUT_MS = 5_000;
// By then a server that restarted would be there again.
const ATTEMPTS_BEFORE_WARNING = 8;

/**
 * Opens one connection for LISTEN and keeps it: when it is lost it is opened again, with back-off,
 * for as long as the listener lives. Rejects only when the first connection fails.
 *
 * Callbacks run on the connection's event and must not throw.
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { logger, clock = systemClock, random = systemRandom, outage } = options;
  const channels: Channels = new Map();
  const reconnected = new Set<() => void>();
  const closing = new AbortController();
  let reconnecting: Promise<void> = Promise.resolve();
  const onLost = () => {
    if (closing.signal.aborted) return;
    logger.debug('lost the LISTEN connection');
    outage?.lost('lost the LISTEN connection');
    session = null;
    reconnecting = reopen();
  };
  let session: Session | null = await openSession(options, channels, onLost);

  async function reopen(): Promise<void> {
    let isWarned = false;
    for (let attempt = 0; session === null && !closing.signal.aborted; attempt += 1) {
      try {
        await clock.sleep(backoffMs(RECONNECT, attempt, random), closing.signal);
        session = await openSession(options, channels, onLost);
      } catch (error) {
        isWarned = tellAttempt(options, { attempt, reason: messageOf(error) }) || isWarned;
      }
    }
    if (session === null) return;
    logger[isWarned ? 'info' : 'debug']('the LISTEN connection is back');
    for (const notify of reconnected) notify();
  }

  return {
    async listen(channel, onNotify) {
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(onNotify));
      // Also for a channel that is known: its own LISTEN may still be on the way.
      await session?.send(`listen ${quoteName(channel)}`);
      return () => {
        listeners.delete(onNotify);
        if (listeners.size > 0 || channels.get(channel) !== listeners) return;
        channels.delete(channel);
        void session?.send(`unlisten ${quoteName(channel)}`);
      };
    },
    onReconnect(onReconnect) {
      reconnected.add(onReconnect);
      return () => reconnected.delete(onReconnect);
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await reconnecting;
      await session?.[Symbol.asyncDispose]();
    },
  };
}

/** Warns once of a connection that stays down while the database is there; whether it did. */
function tellAttempt(
  { logger, outage }: ListenerOptions,
  failure: { readonly attempt: number; readonly reason: string },
): boolean {
  const isOdd = failure.attempt === ATTEMPTS_BEFORE_WARNING && outage?.isOn() !== true;
  logger[isOdd ? 'warn' : 'debug'](
    failure,
    'the LISTEN connection is still down; news is looked for every second',
  );
  return isOdd;
}

type Channels = Map<string, Set<(payload: string) => void>>;

/** One connection, from its opening to its loss. */
interface Session extends AsyncDisposable {
  /** Runs `sql`; resolves also when the connection is lost meanwhile, for the next one starts afresh. */
  send(sql: string): Promise<void>;
}

/** Opens a connection that listens to every channel in `channels`; `onLost` follows at most once. */
async function openSession(
  { url, logger }: ListenerOptions,
  channels: Channels,
  onLost: () => void,
): Promise<Session> {
  const client = newClient(url);
  let isOpen = false;
  const lose = () => {
    if (isOpen) onLost();
    isOpen = false;
  };
  // A lost connection tells both, in either order.
  client.on('error', lose);
  client.on('end', lose);
  client.on('notification', ({ channel, payload = '' }) => {
    for (const notify of channels.get(channel) ?? []) notify(payload);
  });
  try {
    await client.connect();
    // A channel that is added meanwhile is visited too: that is how a Map iterates.
    for (const channel of channels.keys()) await client.query(`listen ${quoteName(channel)}`);
    isOpen = true;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }

  let sent: Promise<void> = Promise.resolve();
  return {
    send(sql) {
      // One after the other: `pg` no longer wants to queue queries itself.
      sent = sent.then(async () => {
        await client
          .query(sql)
          .catch((error: unknown) => logger.debug({ sql, reason: messageOf(error) }, 'not sent'));
      });
      return sent;
    },
    async [Symbol.asyncDispose]() {
      isOpen = false;
      await client.end().catch(() => undefined);
    },
  };
}

function newClient(connectionString: string): pg.Client {
  return new pg.Client({
    connectionString,
    application_name: 'darkroom listener',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // Nothing is ever sent on it, so only keepalive finds that the other end is gone.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
}
