import { expect, it } from 'vitest';
import type { Fault } from './fault-points.ts';
import { armed } from './fault-points.ts';

it('strikes once, at the nth time that its own point is reached', () => {
  const struck: Fault[] = [];
  const fault: Fault = { point: 'dispatcher.stepped', action: 'kill', nth: 3 };
  const reach = armed(fault, (each) => struck.push(each));

  for (const point of ['dispatcher.claimed', 'dispatcher.stepped', 'dispatcher.stepped'] as const)
    reach(point);
  expect(struck).toEqual([]);
  for (let time = 0; time < 5; time += 1) reach('dispatcher.stepped');
  expect(struck).toEqual([fault]);
});
