import type { Logger } from 'pino';
import type { Access } from '../../domains/tenancy/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { DomainError } from '../../kernel/errors.ts';
import { createSlots } from '../../kernel/slots.ts';
import type { SocketRegistry } from './socket-registry.ts';
import type { SocketSession } from './socket-session.ts';
import { CLOSE, isRefusal } from './socket-session.ts';

export interface SocketWatchDeps {
  readonly sockets: SocketRegistry;
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
}

const PING_EVERY_MS = 15_000;
// A revoked key may go on for five seconds at most, its look-up included.
const RECHECK_EVERY_MS = 3_000;
// As many as the pool that keys are looked up with has connections.
const RECHECKS_AT_ONCE = 4;
// A client that takes nothing for this long while events wait for it has stopped reading.
const STUCK_MS = 10_000;
// To read why; after that what it left unread is let go.
const FAREWELL_MS = 2_000;

/**
 * Until `signal` fires: cuts off sockets that answer no ping, and closes those that are stuck
 * and those whose key no longer holds.
 */
export async function watchSockets(deps: SocketWatchDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  const repeat = async (everyMs: number, work: () => Promise<void> | void) => {
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await work();
      } catch (error) {
        logger.error({ err: error }, 'Sockets could not be checked.');
      }
    }
  };
  await Promise.all([
    repeat(PING_EVERY_MS, () => pingAll(deps.sockets.open)),
    repeat(RECHECK_EVERY_MS, () => recheckKeys(deps)),
    repeat(STUCK_MS, () => closeStuck(deps, signal)),
  ]);
}

function pingAll(sessions: Iterable<SocketSession>): void {
  for (const session of sessions) {
    if (!session.isAlive) {
      session.socket.terminate();
      continue;
    }
    session.isAlive = false;
    session.socket.ping();
  }
}

/** They may come back and go on from their last event. */
async function closeStuck({ sockets, clock }: SocketWatchDeps, signal: AbortSignal): Promise<void> {
  const stuck = [...sockets.open].filter(({ outbox }) => outbox.isStuck());
  if (stuck.length === 0) return;
  for (const { socket } of stuck) socket.close(CLOSE.TRY_AGAIN_LATER, 'Too slow');
  await clock.sleep(FAREWELL_MS, signal).catch(() => undefined);
  for (const { socket } of stuck) socket.terminate();
}

async function recheckKeys(deps: SocketWatchDeps): Promise<void> {
  const slots = createSlots(RECHECKS_AT_ONCE);
  await Promise.all([...deps.sockets.byKey()].map((sessions) => slots.run(() => recheckKey(deps, sessions))));
}

/** One look-up, however many sockets the key has. */
async function recheckKey(
  { access, logger }: SocketWatchDeps,
  sessions: ReadonlySet<SocketSession>,
): Promise<void> {
  const [first] = sessions;
  if (!first?.identity) return;
  const { authorization } = first.identity;
  try {
    const actor = await access.authenticate(authorization);
    for (const session of sessions) session.identity = { actor, authorization };
  } catch (error) {
    // A database that is away proves nothing about a key.
    if (error instanceof DomainError && error.code === 'UNAVAILABLE')
      logger.debug({ err: error }, 'A key could not be checked again.');
    else if (!isRefusal(error)) logger.warn({ err: error }, 'A key could not be checked again.');
    else for (const { socket } of sessions) socket.close(CLOSE.FORBIDDEN, 'Forbidden');
  }
}
