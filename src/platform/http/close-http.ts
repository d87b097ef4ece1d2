import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';

/**
 * Stops listening, lets requests that are being answered finish, and cuts off those that take longer
 * than `graceMs`. Sockets that were upgraded are the upgrader's to close first.
 */
export async function closeHttp(
  http: FastifyInstance,
  options: { readonly clock: Clock; readonly graceMs: number },
) {
  const closed = new AbortController();
  const cutOff = options.clock.sleep(options.graceMs, closed.signal).then(
    () => http.server.closeAllConnections(),
    () => undefined,
  );
  await http.close();
  closed.abort();
  await cutOff;
}
