import type { Server } from 'node:http';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';

// A client that asks again at once on the connection it has is told to leave it, instead of finding it closed
// under its request. Those that are silent for longer ask elsewhere anyway, and rarely in that very moment.
const LEAVE_MS = 500;
const POLL_MS = 25;

/**
 * Tells clients to leave their connections, stops listening, lets requests that are being answered finish,
 * and cuts off those that take longer than `graceMs`. Sockets that were upgraded are the upgrader's to close
 * first.
 */
export async function closeHttp(
  http: FastifyInstance,
  options: { readonly clock: Clock; readonly graceMs: number },
) {
  await untilLeft(http.server, options.clock);
  const closed = new AbortController();
  const cutOff = options.clock.sleep(options.graceMs, closed.signal).then(
    () => http.server.closeAllConnections(),
    () => undefined,
  );
  await http.close();
  closed.abort();
  await cutOff;
}

/** Answers go on, each as the last of its connection, until no connection is left or `LEAVE_MS` have passed. */
async function untilLeft(server: Server, clock: Clock): Promise<void> {
  if (!server.listening) return;
  server.prependListener('request', (_request, response) => {
    response.shouldKeepAlive = false;
  });
  const countConnections = promisify(server.getConnections.bind(server));
  const untilMs = clock.monotonicMs() + LEAVE_MS;
  while (clock.monotonicMs() < untilMs && (await countConnections()) > 0) await clock.sleep(POLL_MS);
}
