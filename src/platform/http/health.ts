import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';

/** Names of what is missing before the process can serve; empty when it can. */
export type Readiness = () => Promise<readonly string[]>;

// Probes come every few seconds; one that hangs is an answer too.
const PROBE_MS = 2_000;

/** `/healthz`: the process lives. `/readyz`: it can serve, or 503 and the names of what is missing. */
export function serveHealth(
  http: FastifyInstance,
  options: { readonly readiness: Readiness; readonly clock: Clock },
) {
  http.get('/healthz', async () => ({ status: 'ok' }));
  http.get('/readyz', async (_request, reply) => {
    const missing = await probe(options.readiness, options.clock);
    if (missing.length === 0) return { status: 'ok', missing };
    return reply.code(503).send({ status: 'unavailable', missing });
  });
}

async function probe(readiness: Readiness, clock: Clock): Promise<readonly string[]> {
  const answered = new AbortController();
  const late = clock.sleep(PROBE_MS, answered.signal).then(
    () => ['probe timed out'],
    () => [],
  );
  try {
    return await Promise.race([readiness(), late]);
  } catch {
    return ['probe failed'];
  } finally {
    answered.abort();
  }
}
