import type { SocketSession } from './socket-session.ts';
import { CLOSE } from './socket-session.ts';

/** Every open socket, and whose it is. */
export interface SocketRegistry {
  readonly open: ReadonlySet<SocketSession>;
  add(session: SocketSession): void;
  remove(session: SocketSession): void;
  /** Counts an identified socket for its key; false, and it is being closed, when the key has too many. */
  admit(session: SocketSession): boolean;
  /** The sockets of each key. */
  byKey(): Iterable<ReadonlySet<SocketSession>>;
}

// An idle socket was measured at about 9 kB: one key can hold some 150 MB.
const SOCKETS_PER_KEY_MAX = 16_000;

export function createSocketRegistry(socketsPerKeyMax = SOCKETS_PER_KEY_MAX): SocketRegistry {
  const open = new Set<SocketSession>();
  const keys = new Map<string, Set<SocketSession>>();
  return {
    open,
    add: (session) => void open.add(session),
    remove(session) {
      open.delete(session);
      const keyId = session.identity?.actor.keyId ?? '';
      const sockets = keys.get(keyId);
      sockets?.delete(session);
      if (sockets?.size === 0) keys.delete(keyId);
    },
    admit(session) {
      const keyId = session.identity?.actor.keyId ?? '';
      const sockets = keys.get(keyId) ?? new Set();
      if (sockets.size >= socketsPerKeyMax) {
        session.socket.close(CLOSE.TOO_MANY, 'Too many sockets');
        return false;
      }
      // It may have gone while its key was looked up.
      if (open.has(session)) keys.set(keyId, sockets.add(session));
      return true;
    },
    byKey: () => keys.values(),
  };
}
