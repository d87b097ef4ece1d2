import type { Clock } from '../kernel/clock.ts';
import type { Engines, Rows } from './engines.ts';
import type { CallMeter } from './figures.ts';
import type { Lane, LanePart } from './lane.ts';
import { createLane } from './lane.ts';
import type { Asker } from './request.ts';

/** A call that a job asks for. */
export interface Ask extends LanePart {
  /** Whether it is an evaluation of the U-Net, which the figures count. */
  readonly isEvaluation: boolean;
}

/** The lanes of one node, made as they are needed: one per part that is called. */
export interface Lanes {
  /** As `Lane.ask`. */
  ask(ask: Ask, rows: Rows, asker: Asker): Promise<Rows>;
}

export interface LanesDeps {
  readonly engines: Engines;
  readonly clock: Clock;
  readonly meter: CallMeter;
}

export function createLanes({ engines, clock, meter }: LanesDeps): Lanes {
  const lanes = new Map<string, Lane>();
  return {
    ask(ask, rows, asker) {
      const { part, rowsMax, instances, isEvaluation } = ask;
      // A node that comes back with other limits gets other lanes. Outputs belong to the key: a call has one list of them.
      const outputs = part.outputs.map(({ name }) => name).join(',');
      const key = [part.model, part.version, outputs, rowsMax, instances].join(' ');
      const lane = lanes.get(key) ?? createLane(ask, { engines, clock, meter: isEvaluation ? meter : null });
      lanes.set(key, lane);
      return lane.ask(rows, asker);
    },
  };
}
