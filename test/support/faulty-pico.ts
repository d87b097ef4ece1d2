import { systemClock } from '../../src/kernel/clock.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import type { FaultyNode } from './faulty-node.ts';
import { startFaultyNode } from './faulty-node.ts';
import { startPicoNode } from './node.ts';

/** A faulty node in front of a real one that serves pico, both in the care of `stack`. */
export async function startFaultyPico(stack: AsyncDisposableStack): Promise<FaultyNode> {
  const { address } = stack.use(await startPicoNode());
  const behind = stack.use(connectKserve({ address, callTimeoutMs: 20_000, clock: systemClock }));
  return stack.use(await startFaultyNode({ behind }));
}
