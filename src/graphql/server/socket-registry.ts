import type { SocketSession } from './socket-session.ts';
import { CLOSE } from './socket-session.ts';

/** Every open socket, and whose it is. */
export interface SocketRegistry {
  readonly open: ReadonlySet<SocketSession>;
  /** Whether one more may come from there that has not shown its key yet. */
  hasRoom(address: string): boolean;
  add(session: SocketSession): void;
  remove(session: SocketSession): void;
  /** Counts an identified socket for its key; false, and it is being closed, when the key has too many. */
  admit(session: SocketSession): boolean;
  /** The sockets of each key. */
  byKey(): Iterable<ReadonlySet<SocketSession>>;
}

// An idle socket was measured at about 9 kB: one key can hold some 150 MB.
const SOCKETS_PER_KEY_MAX = 16_000;

// Who shows no key has five seconds, and all of them together some 40 MB. Behind a proxy every client has
// one address, and after a restart they come at once: hence a number that a single client never needs.
const LIMITS: SocketLimits = { perKey: SOCKETS_PER_KEY_MAX, strangers: 4_000, strangersPerAddress: 1_000 };

/** How many sockets may be open at once. */
export interface SocketLimits {
  readonly perKey: number;
  /** That have not shown their keys. */
  readonly strangers: number;
  readonly strangersPerAddress: number;
}

export function createSocketRegistry(limits: SocketLimits = LIMITS): SocketRegistry {
  const open = new Set<SocketSession>();
  const keys = new Map<string, Set<SocketSession>>();
  const strangers = new Set<SocketSession>();
  const byAddress = new Map<string, number>();
  const strangersFrom = (address: string) => byAddress.get(address) ?? 0;
  const forgetStranger = (session: SocketSession) => {
    if (!strangers.delete(session)) return;
    const left = strangersFrom(session.address) - 1;
    if (left > 0) byAddress.set(session.address, left);
    else byAddress.delete(session.address);
  };
  return {
    open,
    hasRoom: (address) =>
      strangers.size < limits.strangers && strangersFrom(address) < limits.strangersPerAddress,
    add(session) {
      open.add(session);
      strangers.add(session);
      byAddress.set(session.address, strangersFrom(session.address) + 1);
    },
    remove(session) {
      open.delete(session);
      forgetStranger(session);
      const keyId = session.identity?.actor.keyId ?? '';
      const sockets = keys.get(keyId);
      sockets?.delete(session);
      if (sockets?.size === 0) keys.delete(keyId);
    },
    admit(session) {
      const keyId = session.identity?.actor.keyId ?? '';
      const sockets = keys.get(keyId) ?? new Set();
      if (sockets.size >= limits.perKey) {
        session.socket.close(CLOSE.TOO_MANY, 'Too many sockets');
        return false;
      }
      forgetStranger(session);
      // It may have gone while its key was looked up.
      if (open.has(session)) keys.set(keyId, sockets.add(session));
      return true;
    },
    byKey: () => keys.values(),
  };
}
