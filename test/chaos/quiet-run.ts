import type { JobSubmitInput } from '../../src/client/index.ts';
import type { Clients } from './clients.ts';
import type { Order } from './orders.ts';
import type { Twins } from './picture-checks.ts';

/** Draws each picture of the run once more, alone and with nobody dying, and tells which jobs ordered it. */
export async function drawQuietly(
  { book, carryOut }: Clients,
  pictures: readonly JobSubmitInput[],
): Promise<readonly Twins[]> {
  const ordered = Map.groupBy(book.accepted.values(), ({ order }) => order.picture);
  const twins: Twins[] = [];
  for (const [picture, input] of pictures.entries()) {
    const jobs = ordered.get(picture) ?? [];
    if (jobs.length === 0) continue;
    twins.push({ quietId: await carryOut(quietOrder(picture, input)), jobIds: jobs.map(({ id }) => id) });
  }
  return twins;
}

function quietOrder(picture: number, input: JobSubmitInput): Order {
  return {
    index: picture,
    tenant: 0,
    picture,
    input: { ...input, idempotencyKey: `quiet-${picture}` },
    isRepeated: false,
    cancelAfterMs: null,
    restlessness: 0,
    restMs: 0,
  };
}
