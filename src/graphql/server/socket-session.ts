import type { Context as SocketContext } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Actor } from '../../domains/tenancy/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Outbox } from './socket-outbox.ts';

/** Close codes of graphql-transport-ws and of RFC 6455 that this server uses. */
export const CLOSE = {
  GOING_AWAY: 1001,
  UNSUPPORTED_DATA: 1003,
  INTERNAL_ERROR: 1011,
  TRY_AGAIN_LATER: 1013,
  FORBIDDEN: 4403,
  ID_IN_USE: 4409,
  TOO_MANY: 4429,
} as const;

export interface Identity {
  readonly actor: Actor;
  /** What the actor came from, to look again whether it still holds. */
  readonly authorization: string | null;
}

/** What is known of one open socket. */
export interface SocketSession {
  readonly socket: WebSocket;
  readonly outbox: Outbox;
  /** Null until the client has shown its key. */
  identity: Identity | null;
  /** graphql-ws's own record of the socket; null until the client has greeted. */
  context: SocketContext<Record<string, unknown>, SocketSession> | null;
  /** Fired when the client no longer wants the operation of that id. */
  readonly operations: Map<string, AbortController>;
  /** Whether it has answered the last ping. */
  isAlive: boolean;
  /** Where it comes from. */
  readonly address: string;
}

export function createSession(socket: WebSocket, outbox: Outbox, address: string): SocketSession {
  return { socket, outbox, identity: null, context: null, operations: new Map(), isAlive: true, address };
}

/** Ends the operations that graphql-ws no longer lists, also those that have not answered yet. */
export function reapOperations({ context, operations }: SocketSession): void {
  for (const [id, operation] of operations) {
    if (context && id in context.subscriptions) continue;
    operations.delete(id);
    operation.abort();
  }
}

export function abortOperations({ operations }: SocketSession): void {
  for (const operation of operations.values()) operation.abort();
  operations.clear();
}

/** Whether the key itself is refused, as against a look-up that could not be made. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN');
}
