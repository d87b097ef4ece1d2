import { systemClock } from '../../src/kernel/clock.ts';
import type { BareProcess } from './bare-process.ts';
import { startBareProcess } from './bare-process.ts';
import type { Reference } from './reference.ts';

/** ONNX Runtime alone on the platform's own graphs, in as many processes as the node has workers. */
export async function startBareReference(
  directory: string,
  steps: number,
  processes: number,
): Promise<Reference> {
  await using stack = new AsyncDisposableStack();
  const args = [directory, String(steps)];
  const starts = Array.from({ length: processes }, () => startBareProcess('./bare-draw.ts', args));
  const bare: readonly BareProcess[] = await Promise.all(starts.map(async (start) => stack.use(await start)));
  const draw = async (count: number): Promise<number> => {
    const startMs = systemClock.monotonicMs();
    await Promise.all(bare.map((each) => each.ask(count / bare.length)));
    return (count * 1_000) / (systemClock.monotonicMs() - startMs);
  };
  await draw(2 * bare.length);
  const owned = stack.move();
  return {
    about: {
      name: 'serve.picturesPerSecond',
      reference: `a bare ONNX Runtime loop in ${processes} processes`,
      aim: '>= 0.9',
    },
    draw,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
