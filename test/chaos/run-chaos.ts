import { systemClock } from '../../src/kernel/clock.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { endInOrder } from './adversary.ts';
import { createClients } from './clients.ts';
import { openFleet } from './fleet.ts';
import { haunt } from './haunt.ts';
import { inspect } from './inspect.ts';
import { carryOutOrders } from './load.ts';
import { choosePictures } from './orders.ts';
import { drawQuietly } from './quiet-run.ts';
import { createSeeded } from './seeded.ts';
import type { Summary } from './summary.ts';
import { summarise } from './summary.ts';
import { createTally } from './tally.ts';
import type { Violation } from './violation.ts';

export interface ChaosOptions {
  /** What all choices are made from. */
  readonly seed: string;
  /** At least so many jobs; more while the faults go on. */
  readonly jobs: number;
  /** At least so long the faults go on; 0 is as long as it takes to carry out the plan. */
  readonly minutes: number;
  /** How often the process is killed that hosts Postgres and a node. */
  readonly hostKills: number;
  readonly sandbox: Sandbox;
  readonly signal: AbortSignal;
  /** Told how it goes on. */
  readonly say: (text: string) => void;
}

const TENANTS = 3;
const PICTURES = 12;
// For what is under way when the last fault is over.
const DRAIN_MS = 90_000;

/** One run: processes that die, clients that do not give up, and then a look at what is left. */
export async function runChaos(options: ChaosOptions): Promise<Summary> {
  const clock = systemClock;
  const startedMs = clock.monotonicMs();
  const seconds = () => Math.round((clock.monotonicMs() - startedMs) / 1000);
  const say = (text: string) => options.say(`${`${seconds()}`.padStart(4)} s  ${text}`);
  const seeded = createSeeded(options.seed);
  const violations: Violation[] = [];
  const report = (violation: Violation) => void violations.push(violation);
  const tally = createTally();

  await using fleet = await openFleet({
    sandbox: options.sandbox,
    onCrash: (name, { code, signal, stderr }) =>
      report({
        invariant: 'ending',
        subject: name,
        what: `ended by itself (${code ?? signal}): ${lastOf(stderr)}`,
      }),
  });
  say('the host is up');
  const tenants = await Promise.all(
    Array.from({ length: TENANTS }, (_, index) => fleet.createTenant(`Customer ${index + 1}`)),
  );
  const untilMs = clock.monotonicMs() + options.minutes * 60_000;
  const adversary = { fleet, clock, tally, report, say };
  const { origins, over } = await haunt({ ...adversary, seeded, untilMs, hostKills: options.hostKills });

  const giveUp = new AbortController();
  const signal = AbortSignal.any([options.signal, giveUp.signal]);
  const clients = createClients({ origins, tenants, clock, seeded, report, signal });
  const pictures = choosePictures(seeded.fork('pictures'), {
    count: PICTURES,
    variantIds: await clients.variantIds(),
  });
  let isOver = false;
  const work = carryOutOrders({
    clients,
    clock,
    seeded,
    pictures,
    signal,
    tenants: TENANTS,
    isEnough: (orders) => isOver && orders >= options.jobs,
  });
  // Both are waited for below, and either may fail before.
  for (const each of [over, work]) each.catch((error: unknown) => giveUp.abort(error));
  const residents = await over;
  isOver = true;
  say(`the faults are over, after ${clients.book.accepted.size} jobs`);
  const patience = systemClock.sleep(DRAIN_MS, signal).then(
    () => giveUp.abort(new Error(`Clients still waited ${DRAIN_MS / 1000} s after the last fault.`)),
    () => undefined,
  );
  await work;
  say('every job has ended; drawing each picture once more, alone');
  const twins = await drawQuietly(clients, pictures);
  giveUp.abort();
  await patience;
  const findings = await inspect({ fleet, origins, tenants, book: clients.book, twins });
  for (const { name, part } of residents) {
    fleet.release(part);
    await endInOrder(adversary, name, part);
  }
  return summarise({
    seed: options.seed,
    seconds: seconds(),
    findings,
    tally,
    violations,
    book: clients.book,
    failedStarts: fleet.failedStarts(),
  });
}

function lastOf(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
