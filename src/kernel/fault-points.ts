/**
 * Where a process can be told to die, in the order in which one job passes them:
 *
 * - `submit.before-commit`, `submit.committed`: before and after the job is in the database, neither
 *   answered nor rung.
 * - `dispatcher.claimed`, `dispatcher.stepped`: a job is held, and after each of its steps.
 * - `dispatcher.denoised`: after the last step, before anything is decoded or stored.
 * - `dispatcher.stored`: the pictures are stored, and nothing is told of them.
 * - `dispatcher.completed`: the end of the job is in the database, and nobody has been rung.
 */
export const FAULT_POINTS = [
  'submit.before-commit',
  'submit.committed',
  'dispatcher.claimed',
  'dispatcher.stepped',
  'dispatcher.denoised',
  'dispatcher.stored',
  'dispatcher.completed',
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

export const FAULT_ACTIONS = ['kill', 'stop'] as const;
export type FaultAction = (typeof FAULT_ACTIONS)[number];

/** Called whenever the work comes by a point. */
export type Reach = (point: FaultPoint) => void;

/** What a process that nobody wants to die is given. */
export const unarmed: Reach = () => {};

/** A death that was asked for. */
export interface Fault {
  readonly point: FaultPoint;
  readonly action: FaultAction;
  /** At which time that the point is reached, counted from 1. */
  readonly nth: number;
}

/** Calls `strike` once, when the fault's point is reached for the nth time. */
export function armed(fault: Fault, strike: (fault: Fault) => void): Reach {
  let reached = 0;
  return (point) => {
    if (point !== fault.point) return;
    reached += 1;
    if (reached === fault.nth) strike(fault);
  };
}
