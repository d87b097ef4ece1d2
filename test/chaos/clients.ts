import type { Client } from '../../src/client/index.ts';
import { createClient, DarkroomError } from '../../src/client/index.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { messageOf } from '../../src/kernel/errors.ts';
import type { Heard } from './event-checks.ts';
import type { Tenant } from './fleet.ts';
import type { Order } from './orders.ts';
import { readToTheEnd } from './reader.ts';
import type { Seeded } from './seeded.ts';
import { countOne } from './tally.ts';
import type { Violation } from './violation.ts';

/** A job that a client was told of. */
export interface AcceptedJob {
  readonly id: string;
  readonly tenantId: string;
  readonly order: Order;
}

/** What the clients of a run were told. */
export interface Book {
  readonly accepted: Map<string, AcceptedJob>;
  readonly heard: Heard[];
  /** How often each code was answered instead of what was asked for. */
  readonly refusals: Map<string, number>;
}

export interface ClientsDeps {
  /** `http://host:port`, one per API process. */
  readonly origins: readonly string[];
  readonly tenants: readonly Tenant[];
  readonly clock: Clock;
  readonly seeded: Seeded;
  readonly report: (violation: Violation) => void;
  readonly signal: AbortSignal;
}

// Longer than a request takes on a busy machine, shorter than an API process is paused.
const REQUEST_TIMEOUT_MS = 2_000;
const PAUSE_MS = 400;
// What says: try again. Any other answer is none that a client may get for what these clients ask.
const RETRYABLE: ReadonlySet<string> = new Set(['UNREACHABLE', 'UNAVAILABLE', 'RATE_LIMITED']);

export type Clients = ReturnType<typeof createClients>;

/** Customers that know two or more API processes, and ask the next one when one does not answer. */
export function createClients(deps: ClientsDeps) {
  const { origins, tenants, clock, report, signal } = deps;
  const book: Book = { accepted: new Map(), heard: [], refusals: new Map() };
  const byTenant = tenants.map(({ apiKey }) =>
    origins.map((origin) =>
      createClient({ api: `${origin}/graphql`, apiKey, requestTimeoutMs: REQUEST_TIMEOUT_MS }),
    ),
  );

  function note(error: unknown, subject: string): void {
    const code = error instanceof DarkroomError ? error.code : 'NONE';
    countOne(book.refusals, code);
    if (RETRYABLE.has(code)) return;
    report({ invariant: 'answers', subject, what: `a client was answered ${code}: ${messageOf(error)}` });
  }

  /** Asks one API process after the other until one answers. */
  async function insist<T>(
    { index, tenant }: Pick<Order, 'index' | 'tenant'>,
    ask: (client: Client) => Promise<T>,
  ): Promise<T> {
    const clients = byTenant[tenant] ?? [];
    for (let turn = index; ; turn += 1) {
      signal.throwIfAborted();
      const client = clients[turn % clients.length];
      if (client === undefined) throw new Error('There is no API to ask.');
      try {
        return await ask(client);
      } catch (error) {
        note(error, `order-${index}`);
        await clock.sleep(PAUSE_MS, signal);
      }
    }
  }

  async function submit(order: Order): Promise<string> {
    const { id } = await insist(order, (client) => client.submitJob(order.input));
    book.accepted.set(id, { id, tenantId: tenants[order.tenant]?.tenantId ?? '', order });
    return id;
  }

  async function submitAgain(order: Order, id: string): Promise<void> {
    // Another process than the one that was asked first.
    const again = await insist({ ...order, index: order.index + 1 }, (client) =>
      client.submitJob(order.input),
    );
    if (again.id === id) return;
    book.accepted.set(again.id, { id: again.id, tenantId: tenants[order.tenant]?.tenantId ?? '', order });
    report({ invariant: 'lost', subject: id, what: `its key stands for ${again.id} as well` });
  }

  async function cancel(order: Order, id: string): Promise<void> {
    await clock.sleep(order.cancelAfterMs ?? 0, signal);
    await insist(order, (client) => client.cancelJob(id));
  }

  async function read(order: Order, id: string): Promise<void> {
    const reader = {
      sockets: origins.map((origin) => `${origin.replace('http', 'ws')}/graphql`),
      apiKey: tenants[order.tenant]?.apiKey ?? '',
      seeded: deps.seeded.fork(`reader-${order.index}`),
      restlessness: order.restlessness,
      signal,
      onLost: (error: unknown) => note(error, id),
    };
    book.heard.push(await readToTheEnd(reader, id));
  }

  return {
    book,
    /** The models that there are to order from. */
    async variantIds(): Promise<readonly string[]> {
      const variants = await insist({ index: 0, tenant: 0 }, (client) => client.variants());
      return variants.map(({ id }) => id);
    },
    /** Submits a job, does around it what the order says, and resolves with its id when it has ended. */
    async carryOut(order: Order): Promise<string> {
      const id = await submit(order);
      await Promise.all([
        read(order, id),
        order.isRepeated ? submitAgain(order, id) : null,
        order.cancelAfterMs === null ? null : cancel(order, id),
      ]);
      return id;
    },
  };
}
