import type { ExecutionArgs, GraphQLSchema } from 'graphql';
import { GraphQLError } from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import type { Logger } from 'pino';
import { DomainError } from '../../kernel/errors.ts';
import type { Context, Services } from '../context.ts';
import type { Mask } from '../errors/mask.ts';
import { createLoaders } from '../loaders/loaders.ts';
import type { Guard } from './guard.ts';
import type { SocketMeter } from './socket-meter.ts';
import type { SocketRegistry } from './socket-registry.ts';
import type { Identity, SocketSession } from './socket-session.ts';
import { CLOSE, isRefusal } from './socket-session.ts';

export interface SocketProtocolDeps {
  readonly schema: GraphQLSchema;
  readonly guard: Guard;
  readonly mask: Mask;
  readonly services: Services;
  readonly logger: Logger;
  readonly newRequestId: () => string;
  readonly sockets: SocketRegistry;
  readonly meter: SocketMeter;
}

type Options = ServerOptions<Record<string, unknown>, SocketSession>;

const SUBSCRIPTIONS_PER_SOCKET_MAX = 100;
const GREETING_MS = 5_000;

/** graphql-transport-ws as this server speaks it: keys at the greeting, subscriptions only, one guard, one mask. */
export function socketProtocol(deps: SocketProtocolDeps): Options {
  const { mask } = deps;
  const requestIds = new WeakMap<AbortSignal, string>();
  const maskFor = (session: SocketSession, id: string) => {
    const signal = session.operations.get(id)?.signal;
    const requestId = (signal && requestIds.get(signal)) ?? deps.newRequestId();
    return (error: unknown) => mask(error, requestId);
  };
  return {
    connectionInitWaitTimeout: GREETING_MS,
    async onConnect(context) {
      const session = context.extra;
      session.context = context;
      session.identity = await identify(deps, session, context.connectionParams?.['authorization']);
      return session.identity !== null && deps.sockets.admit(session);
    },
    onSubscribe({ extra: session, subscriptions }, id, payload): ExecutionArgs | readonly GraphQLError[] {
      if (Object.keys(subscriptions).length > SUBSCRIPTIONS_PER_SOCKET_MAX) {
        session.socket.close(CLOSE.TOO_MANY, 'Too many subscriptions');
        return [
          new GraphQLError('Too many subscriptions on this socket.', { extensions: { code: 'BAD_REQUEST' } }),
        ];
      }
      const prepared = deps.guard.prepare('WEBSOCKET', payload);
      if (!('document' in prepared)) return prepared;
      const operation = new AbortController();
      const requestId = deps.newRequestId();
      requestIds.set(operation.signal, requestId);
      session.operations.set(id, operation);
      return {
        ...prepared,
        schema: deps.schema,
        options: deps.guard.executionOptions,
        contextValue: contextOf(deps.services, session, { requestId, signal: operation.signal }),
      };
    },
    async onNext(...[{ extra: session }, id, , , { errors, data }]) {
      // Before the event is made into text, so that what waits costs nothing.
      await session.outbox.room();
      if (!errors) deps.meter.noteDelivered();
      return errors && { errors: errors.map(maskFor(session, id)), ...(data === undefined ? {} : { data }) };
    },
    onError(...[{ extra: session }, id, , errors]) {
      return errors.map(maskFor(session, id));
    },
  };
}

async function identify(
  { services, logger }: SocketProtocolDeps,
  { socket }: SocketSession,
  given: unknown,
): Promise<Identity | null> {
  const authorization = typeof given === 'string' ? given : null;
  try {
    return { actor: await services.access.authenticate(authorization), authorization };
  } catch (error) {
    if (!(error instanceof DomainError)) logger.error({ err: error }, 'A socket could not be authenticated.');
    // Whoever closes first names the code: a refusal of the key itself is left to graphql-ws, which says 4403.
    if (!isRefusal(error)) socket.close(CLOSE.TRY_AGAIN_LATER, 'Try again later');
    return null;
  }
}

function contextOf(
  services: Services,
  { identity }: SocketSession,
  operation: Pick<Context, 'requestId' | 'signal'>,
): Context {
  if (!identity) throw new Error('A subscription reached GraphQL without an actor.');
  const { actor } = identity;
  return { actor, services, loaders: createLoaders(actor, services), ...operation };
}
