import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { Actor } from '../../domains/tenancy/index.ts';
import type { Id } from '../../kernel/ids.ts';
import { createSocketRegistry } from './socket-registry.ts';
import { createSocketMeter } from './socket-meter.ts';
import { createOutbox } from './socket-outbox.ts';
import type { SocketSession } from './socket-session.ts';
import { createSession } from './socket-session.ts';

function sessionOf(key: string, closed: number[], address = '::1'): SocketSession {
  const socket = {
    close: (code: number) => closed.push(code),
    once: () => undefined,
  } as unknown as WebSocket;
  const actor: Actor = {
    tenantId: 'ten_a' as Id<'tenant'>,
    keyId: key as Id<'key'>,
    environment: 'LIVE',
    permissions: new Set(),
  };
  return Object.assign(createSession(socket, createOutbox(socket, createSocketMeter(new Set())), address), {
    identity: { actor, authorization: key },
  });
}

const LIMITS = { perKey: 100, strangers: 100, strangersPerAddress: 100 };

describe('sockets per key', () => {
  it('are counted, refused beyond the cap with 4429, and free their place when they close', () => {
    const registry = createSocketRegistry({ ...LIMITS, perKey: 2 });
    const closed: number[] = [];
    const open = (key: string) => {
      const session = sessionOf(key, closed);
      registry.add(session);
      return { session, isAdmitted: registry.admit(session) };
    };
    const first = open('key_a');
    expect([first.isAdmitted, open('key_a').isAdmitted, closed]).toEqual([true, true, []]);
    expect([open('key_a').isAdmitted, closed]).toEqual([false, [4429]]);
    expect(open('key_b').isAdmitted).toBe(true);
    registry.remove(first.session);
    expect([open('key_a').isAdmitted, closed]).toEqual([true, [4429]]);
  });
});

describe('sockets that have not shown a key', () => {
  it('are counted for each address and in all, until they show one or close', () => {
    const registry = createSocketRegistry({ ...LIMITS, strangers: 3, strangersPerAddress: 2 });
    const open = (address: string) => {
      const session = sessionOf('key', [], address);
      registry.add(session);
      return session;
    };
    const [first, second] = [open('a'), open('a')];
    expect([registry.hasRoom('a'), registry.hasRoom('b')]).toEqual([false, true]);
    const third = open('b');
    expect([registry.hasRoom('b'), registry.hasRoom('c')]).toEqual([false, false]);
    registry.admit(first);
    expect([registry.hasRoom('a'), registry.hasRoom('c')]).toEqual([true, true]);
    // It has left the strangers already.
    registry.remove(first);
    registry.remove(second);
    registry.remove(third);
    for (let i = 0; i < 2; i++) open('a');
    expect([registry.hasRoom('a'), registry.hasRoom('b')]).toEqual([false, true]);
  });
});
