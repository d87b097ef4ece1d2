import { StartError } from '../kernel/errors.ts';
import type { Fault } from '../kernel/fault-points.ts';
import { FAULT_ACTIONS, FAULT_POINTS } from '../kernel/fault-points.ts';

const NTH = /^[1-9][0-9]{0,8}$/;

/** Reads `POINT:ACTION` or `POINT:ACTION:NTH`. Throws a `StartError` that names what there is. */
export function readFault(text: string): Fault {
  const [pointName, actionName, nth = '1', ...more] = text.split(':');
  const point = FAULT_POINTS.find((each) => each === pointName);
  const action = FAULT_ACTIONS.find((each) => each === actionName);
  if (point !== undefined && action !== undefined && NTH.test(nth) && more.length === 0) {
    return { point, action, nth: Number(nth) };
  }
  throw new StartError(
    `The environment is not right: DARKROOM_FAULT must be POINT:ACTION or POINT:ACTION:NTH, with a point of ` +
      `${FAULT_POINTS.join(', ')} and an action of ${FAULT_ACTIONS.join(', ')}.`,
  );
}
