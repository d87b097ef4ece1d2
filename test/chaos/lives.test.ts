import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
import { faultsOf, planServerKills, planSlots } from './lives.ts';
import { createSeeded } from './seeded.ts';

const COUNTS = { apis: 2, dispatchers: 4 };

describe('the plan of a run', () => {
  it('is the same for the same seed, and another for another', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const plan = () => JSON.stringify(planSlots(createSeeded(seed), COUNTS));
        expect(plan()).toBe(plan());
        expect(plan()).not.toBe(JSON.stringify(planSlots(createSeeded(`${seed}'`), COUNTS)));
      }),
    );
  });

  it('kills at every named point, and kills and stops twenty times and more, whatever the seed', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const seeded = createSeeded(seed);
        const lives = planSlots(seeded, COUNTS).flatMap((slot) => slot.lives);
        const killed = lives.flatMap((life) =>
          life.kind === 'struck' && life.fault.action === 'kill' ? [life.fault.point] : [],
        );
        const killsAndPauses = lives
          .map(faultsOf)
          .reduce((sum, { kills, pauses }) => sum + kills + pauses, planServerKills(seeded, 0).length);

        expect(new Set(killed)).toEqual(new Set(FAULT_POINTS));
        expect(killsAndPauses).toBeGreaterThanOrEqual(20);
      }),
    );
  });

  it('sends a slot only what its role comes by', () => {
    for (const { role, lives } of planSlots(createSeeded('1'), COUNTS)) {
      const points = lives.flatMap((life) => (life.kind === 'struck' ? [life.fault.point] : []));
      expect(points.every((point) => point.startsWith('submit.') === (role === 'api'))).toBe(true);
    }
  });

  it('leaves the host alone unless it is told otherwise', () => {
    const servers = (hosts: number) => planServerKills(createSeeded('1'), hosts).map(({ server }) => server);

    expect(servers(0).toSorted()).toEqual(['added node', 'node', 'postgres']);
    expect(servers(2).filter((server) => server === 'host')).toHaveLength(2);
  });
});
