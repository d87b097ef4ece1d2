import type { JobSubmitInput } from '../../src/client/index.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { Clients } from './clients.ts';
import { chooseOrder } from './orders.ts';
import type { Seeded } from './seeded.ts';

export interface LoadDeps {
  readonly clients: Clients;
  readonly clock: Clock;
  readonly seeded: Seeded;
  readonly pictures: readonly JobSubmitInput[];
  readonly tenants: number;
  /** Asked before each order. */
  readonly isEnough: (orders: number) => boolean;
  readonly signal: AbortSignal;
}

// So many that a hundred jobs are under way or done while the faults go on.
const CLIENTS = 24;

/** Clients that order one job after the other until it is enough; resolves when the last has ended. */
export async function carryOutOrders(deps: LoadDeps): Promise<void> {
  let orders = 0;
  const client = async () => {
    while (!deps.isEnough(orders)) {
      const index = orders;
      orders += 1;
      const seeded = deps.seeded.fork(`order ${index}`);
      const order = chooseOrder(seeded, { index, tenants: deps.tenants, pictures: deps.pictures });
      await deps.clients.carryOut(order);
      await deps.clock.sleep(order.restMs, deps.signal);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
