import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { Actor } from '../../domains/tenancy/index.ts';
import type { Id } from '../../kernel/ids.ts';
import { createSocketRegistry } from './socket-registry.ts';
import { createSocketMeter } from './socket-meter.ts';
import { createOutbox } from './socket-outbox.ts';
import type { SocketSession } from './socket-session.ts';
import { createSession } from './socket-session.ts';

function sessionOf(key: string, closed: number[]): SocketSession {
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
  return Object.assign(createSession(socket, createOutbox(socket, createSocketMeter(new Set()))), {
    identity: { actor, authorization: key },
  });
}

describe('sockets per key', () => {
  it('are counted, refused beyond the cap with 4429, and free their place when they close', () => {
    const registry = createSocketRegistry(2);
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
