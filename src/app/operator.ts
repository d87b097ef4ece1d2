import { describeNode } from '../backends/engines/index.ts';
import type { Fleet } from '../domains/fleet/index.ts';
import { createFleet } from '../domains/fleet/index.ts';
import { grantCredits } from '../domains/metering/index.ts';
import type { Operations } from '../domains/operations/index.ts';
import { createOperations } from '../domains/operations/index.ts';
import type { Onboarding } from '../domains/tenancy/index.ts';
import { createOnboarding } from '../domains/tenancy/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { connectFault } from '../kernel/faults.ts';
import { createIds } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import { systemRandom } from '../kernel/random.ts';
import type { DatabasePlace, Db } from '../platform/db/index.ts';
import { connectOrSay, openDb } from '../platform/db/index.ts';
import { connectKserve, KserveError, status } from '../platform/kserve/index.ts';

/** What an operator's commands need of the platform: tenants, keys and nodes, and nothing that runs. */
export interface Operator extends AsyncDisposable {
  readonly onboarding: Onboarding;
  readonly fleet: Fleet;
}

/** Opens one connection of `darkroom_system`, at the first use; disposing closes it. */
export function openOperator(systemUrl: string, pepper: Uint8Array): Operator {
  const systemDb = openDb({ url: systemUrl, poolMax: 1, applicationName: 'darkroom command' });
  const newId = createIds(systemClock, systemRandom);
  return {
    onboarding: onboardingOn(systemDb, pepper, { clock: systemClock, random: systemRandom }),
    fleet: createFleet({ db: systemDb, newId }),
    [Symbol.asyncDispose]: () => systemDb.$disconnect(),
  };
}

export function onboardingOn(
  systemDb: Db,
  pepper: Uint8Array,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Onboarding {
  const newId = createIds(clock, random);
  return createOnboarding({ systemDb, pepper, clock, random, newId }, (tx, tenantId, credits) =>
    grantCredits(tx, newId, { tenantId, credits, note: 'opening balance' }),
  );
}

const PROBE_MS = 5_000;

/** Rejects with a `StartError` in a person's words when the login of `darkroom_system` is not let in. */
export async function checkSystemLogin(url: string, place: DatabasePlace): Promise<void> {
  await using _ = await connectOrSay(place, { url, applicationName: 'darkroom command' });
}

/** What came of asking a node; `reason` is for a person. */
export type NodeProbe =
  | { readonly isReady: true; readonly models: readonly string[] }
  | { readonly isReady: false; readonly reason: string };

/**
 * Asks the node at `address` (`grpc://host:port`) whether it is ready and what it serves, for five seconds
 * at most. Rejects with a `StartError` for what cannot be an address.
 */
export async function probeNode(address: string): Promise<NodeProbe> {
  await using client = connectKserve({ address, callTimeoutMs: PROBE_MS });
  try {
    const { ready, models } = await describeNode(client);
    if (!ready) return { isReady: false, reason: 'it answers that it is not ready' };
    return { isReady: true, models: models.map(({ name }) => name) };
  } catch (error) {
    return { isReady: false, reason: faultOf(error, address) };
  }
}

function faultOf(error: unknown, address: string): string {
  const cause = error instanceof Error ? error.cause : null;
  const code = cause instanceof KserveError ? cause.status : null;
  if (code === status.DEADLINE_EXCEEDED) return `it did not answer within ${PROBE_MS / 1000} s`;
  if (code === status.UNIMPLEMENTED) return 'what listens there does not speak KServe v2';
  // What the connection says, which stands in the middle of a sentence here.
  return connectFault(cause ?? error, address.replace(/^grpc:\/\//, '')).replace(/\.$/, '');
}

/** What `darkroom stats` needs of a platform that it reaches by its database. */
export function openOperations(systemUrl: string): Operations & AsyncDisposable {
  const db = openDb({ url: systemUrl, poolMax: 1, applicationName: 'darkroom command' });
  return { ...createOperations({ db, own: null }), [Symbol.asyncDispose]: () => db.$disconnect() };
}
