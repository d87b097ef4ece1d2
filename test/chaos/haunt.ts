import type { Part } from '../support/split.ts';
import type { AdversaryDeps } from './adversary.ts';
import { killServer, live } from './adversary.ts';
import type { Slot } from './fleet.ts';
import { openSlot } from './fleet.ts';
import type { Life, Role } from './lives.ts';
import { anotherLife, anotherServerKill, planServerKills, planSlots } from './lives.ts';
import type { Seeded } from './seeded.ts';

export interface HauntDeps extends AdversaryDeps {
  readonly seeded: Seeded;
  /** When it may end, on the clock's monotonic scale. */
  readonly untilMs: number;
  readonly hostKills: number;
  /** Resolves when there is work; before, the death of a node or a database would interrupt nothing. */
  readonly underway: Promise<void>;
}

/** The process that lives on in a slot when everything has been done to those before. */
export interface Resident {
  readonly name: string;
  readonly part: Part;
}

export interface Haunting {
  /** Where the APIs are reached, whichever process is behind it. */
  readonly origins: readonly string[];
  /** Resolves when all faults have happened, with the APIs and a dispatcher that live on. */
  readonly over: Promise<readonly Resident[]>;
}

const APIS = 2;
// More than there are nodes: those that wait for one are up when another dies.
const DISPATCHERS = 4;

/** Fills the slots with processes and does to them what the seed says, all slots at the same time. */
export async function haunt(deps: HauntDeps): Promise<Haunting> {
  const plans = planSlots(deps.seeded.fork('slots'), { apis: APIS, dispatchers: DISPATCHERS });
  const slots: readonly Planned[] = await Promise.all(
    plans.map(async ({ name, role, lives }) => ({ slot: await openSlot(name, role), lives })),
  );
  const of = (role: Role) => slots.filter(({ slot }) => slot.role === role);
  const over = Promise.all([
    Promise.all(of('api').map(async (each) => settle(deps, await carryOut(deps, each)))),
    // Only then, and one alone: it keeps the nodes, and whoever waits for one would never come to where it
    // is to be struck.
    Promise.all(of('dispatcher').map((each) => carryOut(deps, each))).then((done) =>
      Promise.all(done.slice(0, 1).map((slot) => settle(deps, slot))),
    ),
    killServers(deps),
  ]).then(([forApis, forDispatchers]) => [...forApis, ...forDispatchers]);
  return { origins: of('api').map(({ slot }) => `http://127.0.0.1:${slot.port}`), over };
}

interface Planned {
  readonly slot: Slot;
  readonly lives: readonly Life[];
}

async function carryOut(deps: HauntDeps, { slot, lives }: Planned): Promise<Slot> {
  for (const life of lives) await live(deps, slot, life);
  const seeded = deps.seeded.fork(`more of ${slot.name}`);
  while (deps.clock.monotonicMs() < deps.untilMs) await live(deps, slot, anotherLife(seeded, slot.role));
  return slot;
}

async function settle({ fleet }: HauntDeps, slot: Slot): Promise<Resident> {
  return { name: slot.name, part: await fleet.start(slot, null) };
}

async function killServers(deps: HauntDeps): Promise<void> {
  const seeded = deps.seeded.fork('servers');
  await deps.underway;
  for (const kill of planServerKills(seeded, deps.hostKills)) await killServer(deps, kill);
  while (deps.clock.monotonicMs() < deps.untilMs) await killServer(deps, anotherServerKill(seeded));
}
