import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { messageOf } from '../../src/kernel/errors.ts';
import type { Outcome } from '../support/processes.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { endInOrder } from './adversary.ts';
import { createClients } from './clients.ts';
import type { Fleet, Tenant } from './fleet.ts';
import { openFleet } from './fleet.ts';
import { haunt } from './haunt.ts';
import { inspect } from './inspect.ts';
import { carryOutOrders } from './load.ts';
import { choosePictures } from './orders.ts';
import { drawQuietly } from './quiet-run.ts';
import { createSeeded } from './seeded.ts';
import type { Summary } from './summary.ts';
import { summarise } from './summary.ts';
import type { Tally } from './tally.ts';
import { createTally, faultsIn, waitingIn } from './tally.ts';
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
const PROGRESS_MS = 10_000;
const PICTURES = 12;
// For what is under way when the last fault is over; only jobs that never end take as long.
const DRAIN_MS = 180_000;

/**
 * One run: processes that die, clients that do not give up, and then a look at what is left. Rejects when
 * it is interrupted, or when a process does not come up however often it is started.
 */
export async function runChaos(options: ChaosOptions): Promise<Summary> {
  const giveUp = new AbortController();
  const signal = AbortSignal.any([options.signal, giveUp.signal]);
  // What sleeps when the run is given up is woken by it.
  const clock: Clock = { ...systemClock, sleep: (delayMs) => systemClock.sleep(delayMs, signal) };
  const startedMs = clock.monotonicMs();
  const seconds = () => Math.round((clock.monotonicMs() - startedMs) / 1000);
  const say = (text: string) => options.say(`${`${seconds()}`.padStart(4)} s  ${text}`);
  const seeded = createSeeded(options.seed);
  const violations: Violation[] = [];
  const report = (violation: Violation) => void violations.push(violation);
  const tally = createTally();

  await using fleet = await openFleet({
    sandbox: options.sandbox,
    onCrash: (name, outcome) => report(crashOf(name, outcome)),
  });
  say('the host is up');
  const tenants = await createTenants(fleet);
  const untilMs = clock.monotonicMs() + options.minutes * 60_000;
  const adversary = { fleet, clock, tally, report, say };
  const { promise: underway, resolve: setOut } = Promise.withResolvers<void>();
  const { hostKills } = options;
  const { origins, over } = await haunt({ ...adversary, seeded, untilMs, hostKills, underway });
  over.catch((error: unknown) => giveUp.abort(error));

  const clients = createClients({ origins, tenants, clock, seeded, report, signal });
  const order = { count: PICTURES, variantIds: await clients.variantIds() };
  const pictures = choosePictures(seeded.fork('pictures'), order);
  let isOver = false;
  const load = { clients, clock, seeded, pictures, signal, tenants: TENANTS };
  const work = carryOutOrders({ ...load, isEnough: (orders) => isOver && orders >= options.jobs });
  work.catch((error: unknown) => giveUp.abort(error));
  setOut();

  const progress = tellProgress({ say, clock, tally, accepted: () => clients.book.accepted.size, over });
  const residents = await orAborted(over, signal);
  await progress;
  isOver = true;
  say(`the faults are over, after ${clients.book.accepted.size} jobs`);
  const isDrained = await withinDrain(work, { giveUp, report });
  options.signal.throwIfAborted();
  say('drawing each picture once more, alone');
  const twins = isDrained ? await drawQuietly(clients, pictures) : [];
  const findings = await inspect({ fleet, origins, tenants, book: clients.book, twins });
  for (const { name, part } of residents) {
    fleet.release(part);
    await endInOrder(adversary, name, part);
  }
  const { book } = clients;
  const failedStarts = fleet.failedStarts();
  return summarise({
    seed: options.seed,
    seconds: seconds(),
    findings,
    tally,
    violations,
    book,
    failedStarts,
  });
}

interface Progress {
  readonly say: (text: string) => void;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly accepted: () => number;
  readonly over: Promise<unknown>;
}

/** One line now and then, so that nobody who waits takes a long run for one that hangs; until `over`. */
async function tellProgress({ say, clock, tally, accepted, over }: Progress): Promise<void> {
  const ended = over.then(
    () => true,
    () => true,
  );
  const pause = () =>
    clock.sleep(PROGRESS_MS).then(
      () => false,
      () => true,
    );
  while (!(await Promise.race([ended, pause()]))) {
    const waiting = waitingIn(tally);
    const points = waiting.length === 0 ? 'every point was reached' : `still to reach ${waiting.join(', ')}`;
    say(`${accepted()} jobs, ${faultsIn(tally)} faults; ${points}`);
  }
}

function createTenants(fleet: Fleet): Promise<readonly Tenant[]> {
  return Promise.all(
    Array.from({ length: TENANTS }, (_, index) => fleet.createTenant(`Customer ${index + 1}`)),
  );
}

/** False when clients still wait for a job after a time that is enough for all of them. */
async function withinDrain(
  work: Promise<void>,
  { giveUp, report }: { readonly giveUp: AbortController; readonly report: (violation: Violation) => void },
): Promise<boolean> {
  const drained = new AbortController();
  const patience = systemClock.sleep(DRAIN_MS, drained.signal).then(
    () => giveUp.abort(new Error(`Clients still waited ${DRAIN_MS / 1000} s after the last fault.`)),
    () => undefined,
  );
  try {
    await work;
    return true;
  } catch (error) {
    // What is left undone is seen in the database.
    report({ invariant: 'lost', subject: 'clients', what: messageOf(error) });
    return false;
  } finally {
    drained.abort();
    await patience;
  }
}

function crashOf(name: string, { code, signal, stderr }: Outcome): Violation {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return { invariant: 'ending', subject: name, what: `ended by itself (${code ?? signal}): ${last}` };
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}
