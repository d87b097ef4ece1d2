import type { Clock } from '../../src/kernel/clock.ts';
import type { Fault } from '../../src/kernel/fault-points.ts';
import type { Program } from '../support/processes.ts';
import type { Part } from '../support/split.ts';
import { serverOf } from '../support/split.ts';
import type { Fleet, Slot } from './fleet.ts';
import type { Life, Role, ServerKill } from './lives.ts';
import type { Tally } from './tally.ts';
import { countOne } from './tally.ts';
import type { Violation } from './violation.ts';

export interface AdversaryDeps {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly report: (violation: Violation) => void;
  /** Told of every fault as it happens. */
  readonly say: (text: string) => void;
}

// A dispatcher sleeps through the five seconds of its leases and the second until somebody notices; an
// API through the patience of its clients.
const PAUSE_MS: Readonly<Record<Role, number>> = { dispatcher: 6_500, api: 2_500 };
// What it wakes up to it does at once: time to be refused before it is told to end.
const AWAKE_MS = 500;
// A dispatcher waits for a node to be free, and with it for the leases of the one that died before.
const REACH_MS = 110_000;
const LOOK_MS = 50;

/** Starts a process in the slot, and makes it live and die as told. */
export async function live(deps: AdversaryDeps, slot: Slot, life: Life): Promise<void> {
  if (life.kind === 'ended') await liveUntilEnded(deps, slot, life);
  else await liveUntilStruck(deps, slot, life.fault);
}

async function liveUntilStruck(deps: AdversaryDeps, slot: Slot, fault: Fault): Promise<void> {
  const { fleet, tally, say } = deps;
  const part = await fleet.start(slot, fault);
  fleet.release(part);
  if (!(await isStruck(deps, part))) {
    tally.missed.push(fault.point);
    say(`${slot.name} did not come by ${fault.point}`);
    // Where it may still die on its way out.
    part.signal('SIGTERM');
    await part.ended;
    return;
  }
  countOne(tally.reached, fault.point);
  say(`${fault.action} ${slot.name} at ${fault.point}, time ${fault.nth}`);
  if (fault.action === 'kill') {
    const { signal } = await part.ended;
    if (signal !== 'SIGKILL')
      throw new Error(`${slot.name} was struck at ${fault.point} and ended by ${signal}.`);
    tally.faults.kills += 1;
    return;
  }
  await sleepThrough(deps, slot, part);
  await terminate(deps, slot, part);
}

async function isStruck({ clock }: AdversaryDeps, part: Part): Promise<boolean> {
  const giveUp = new AbortController();
  const struck = part.line('stderr', /^darkroom: fault /).then(
    () => true,
    () => false,
  );
  const late = clock.sleep(REACH_MS, giveUp.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([struck, late]);
  } finally {
    giveUp.abort();
  }
}

async function liveUntilEnded(
  deps: AdversaryDeps,
  slot: Slot,
  life: Extract<Life, { kind: 'ended' }>,
): Promise<void> {
  const { fleet, clock, tally, say } = deps;
  const part = await fleet.start(slot, null);
  await clock.sleep(life.pauseAfterMs);
  part.signal('SIGSTOP');
  say(`stop ${slot.name}`);
  await sleepThrough(deps, slot, part);
  await clock.sleep(life.afterMs);
  fleet.release(part);
  if (life.signal === 'SIGTERM') {
    await terminate(deps, slot, part);
    return;
  }
  part.signal('SIGKILL');
  say(`kill ${slot.name}`);
  await part.ended;
  tally.faults.kills += 1;
}

async function sleepThrough({ clock, tally }: AdversaryDeps, { role }: Slot, part: Part): Promise<void> {
  await clock.sleep(PAUSE_MS[role]);
  part.signal('SIGCONT');
  tally.faults.pauses += 1;
  await clock.sleep(AWAKE_MS);
}

async function terminate(deps: AdversaryDeps, { name }: Slot, program: Program): Promise<void> {
  deps.fleet.release(program);
  deps.say(`terminate ${name}`);
  await endInOrder(deps, name, program);
  deps.tally.faults.terminations += 1;
}

/** Tells a process to end, which it has to do in good order. */
export async function endInOrder(
  { report }: Pick<AdversaryDeps, 'report'>,
  name: string,
  program: Program,
): Promise<void> {
  try {
    const { code, signal } = await program.end('SIGTERM');
    if (code !== 0)
      report({ invariant: 'ending', subject: name, what: `told to end, it ended with ${code ?? signal}` });
  } catch {
    report({ invariant: 'ending', subject: name, what: 'told to end, it did not' });
  }
}

/** Kills what all need, and waits until it is there again. */
export async function killServer(deps: AdversaryDeps, { server, afterMs }: ServerKill): Promise<void> {
  const { fleet, clock, tally, say } = deps;
  await clock.sleep(afterMs);
  say(`kill the ${server}`);
  if (server === 'host' || server === 'added node') {
    const program = server === 'host' ? fleet.host() : fleet.addedNode();
    fleet.release(program);
    program.signal('SIGKILL');
    await program.ended;
    await (server === 'host' ? fleet.restartHost() : fleet.restartAddedNode());
  } else {
    const before = await serverOf(fleet.host(), server);
    process.kill(before, 'SIGKILL');
    while ((await serverOf(fleet.host(), server).catch(() => before)) === before) await clock.sleep(LOOK_MS);
  }
  countOne(tally.serverKills, server);
}
