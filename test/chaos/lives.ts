import type { Fault, FaultPoint } from '../../src/kernel/fault-points.ts';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
import type { Seeded } from './seeded.ts';

export type Role = 'api' | 'dispatcher';

/**
 * What becomes of one process, from its start to its end.
 *
 * - `struck`: it meets its fate at a named point: killed there, or stopped there, woken up after its
 *   leases have run out, and told to end.
 * - `ended`: it is stopped for a while in between, and killed or told to end at no point in particular.
 */
export type Life =
  | { readonly kind: 'struck'; readonly fault: Fault }
  | {
      readonly kind: 'ended';
      readonly pauseAfterMs: number;
      readonly signal: 'SIGKILL' | 'SIGTERM';
      readonly afterMs: number;
    };

/** One place for a process: whoever dies there is followed by the next. */
export interface SlotPlan {
  readonly name: string;
  readonly role: Role;
  readonly lives: readonly Life[];
}

/** Something that all the others need, killed in its turn. */
export interface ServerKill {
  readonly server: 'node' | 'added node' | 'postgres' | 'host';
  readonly afterMs: number;
}

/** How often each kind of fault was, or is to be. */
export interface FaultCounts {
  readonly kills: number;
  readonly pauses: number;
  readonly terminations: number;
}

const roleOf = (point: FaultPoint): Role => (point.startsWith('submit.') ? 'api' : 'dispatcher');

// Late enough that some jobs end between two deaths, or the oldest would be interrupted until they are given up.
const NTH_MAX: Readonly<Record<Role, number>> = { api: 8, dispatcher: 8 };
// Which it comes by once per step.
const STEPPED_NTH_MAX = 40;

/**
 * What a run does to its slots: every named point kills once, some of them stop as well, and each slot
 * ends with a life that is taken at random.
 */
export function planSlots(
  seeded: Seeded,
  counts: { readonly apis: number; readonly dispatchers: number },
): readonly SlotPlan[] {
  const slots = [
    ...Array.from({ length: counts.apis }, (_, index) => ({
      role: 'api' as const,
      name: `api-${index + 1}`,
    })),
    ...Array.from({ length: counts.dispatchers }, (_, index) => ({
      role: 'dispatcher' as const,
      name: `dispatcher-${index + 1}`,
    })),
  ];
  const struck = {
    api: seeded.shuffle(strikesOf(seeded, { role: 'api', stops: 1 })),
    dispatcher: seeded.shuffle(strikesOf(seeded, { role: 'dispatcher', stops: 1 })),
  };
  return slots.map(({ role, name }) => {
    const peers = slots.filter((each) => each.role === role);
    const place = peers.findIndex((each) => each.name === name);
    const share = struck[role].filter((_, index) => index % peers.length === place);
    // By turns and not by chance, so that there are so many of each whatever the seed.
    const signal = place % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
    return { name, role, lives: [...share, endedLife(seeded.fork(name), signal)] };
  });
}

function strikesOf(
  seeded: Seeded,
  { role, stops }: { readonly role: Role; readonly stops: number },
): readonly Life[] {
  const points = FAULT_POINTS.filter((point) => roleOf(point) === role);
  const stopped = seeded.shuffle(points).slice(0, stops);
  return [
    ...points.map((point) => struckLife(seeded, { point, action: 'kill' })),
    ...stopped.map((point) => struckLife(seeded, { point, action: 'stop' })),
  ];
}

function struckLife(seeded: Seeded, { point, action }: Omit<Fault, 'nth'>): Life {
  const most = point === 'dispatcher.stepped' ? STEPPED_NTH_MAX : NTH_MAX[roleOf(point)];
  return { kind: 'struck', fault: { point, action, nth: seeded.between(1, most) } };
}

function endedLife(seeded: Seeded, signal: 'SIGKILL' | 'SIGTERM'): Life {
  return {
    kind: 'ended',
    pauseAfterMs: seeded.between(0, 2_000),
    signal,
    afterMs: seeded.between(200, 2_500),
  };
}

/** One more life, for a run that goes on when its plan has been carried out. */
export function anotherLife(seeded: Seeded, role: Role): Life {
  if (seeded.isLucky(0.4)) return endedLife(seeded, seeded.pick(['SIGKILL', 'SIGTERM']));
  const point = seeded.pick(FAULT_POINTS.filter((each) => roleOf(each) === role));
  return struckLife(seeded, { point, action: seeded.isLucky(0.3) ? 'stop' : 'kill' });
}

/** The kills of what all need, spread over the run. */
export function planServerKills(seeded: Seeded, hostKills: number): readonly ServerKill[] {
  const kills = seeded.shuffle(['node', 'added node', 'postgres'] as const);
  const hosts = Array.from({ length: hostKills }, () => 'host' as const);
  return [...kills, ...hosts].map((server) => ({ server, afterMs: seeded.between(4_000, 8_000) }));
}

/** One more of them. */
export function anotherServerKill(seeded: Seeded): ServerKill {
  return { server: seeded.pick(['node', 'added node', 'postgres']), afterMs: seeded.between(15_000, 40_000) };
}

/** The faults that a life consists of. A stop at a point is ended by a termination. */
export function faultsOf(life: Life): FaultCounts {
  if (life.kind === 'ended') {
    const isKill = life.signal === 'SIGKILL';
    return { kills: isKill ? 1 : 0, pauses: 1, terminations: isKill ? 0 : 1 };
  }
  const isKill = life.fault.action === 'kill';
  return { kills: isKill ? 1 : 0, pauses: isKill ? 0 : 1, terminations: isKill ? 0 : 1 };
}
