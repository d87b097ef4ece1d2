import type { Logger } from 'pino';
import type { Access } from '../../domains/tenancy/index.ts';
import type { Clock } from '../../kernel/clock.ts';
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
const RECHECK_EVERY_MS = 4_000;

/** Until `signal` fires: cuts off sockets that answer no ping and closes those whose key no longer holds. */
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

async function recheckKeys(deps: SocketWatchDeps): Promise<void> {
  for (const sessions of deps.sockets.byKey()) await recheckKey(deps, sessions);
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
    if (!isRefusal(error)) logger.warn({ err: error }, 'A key could not be checked again.');
    else for (const { socket } of sessions) socket.close(CLOSE.FORBIDDEN, 'Forbidden');
  }
}
