import type { PicoBundle } from '../support/pico-bundle.ts';
import { openPicoBundle } from '../support/pico-bundle.ts';
import { judgePictures } from '../support/judged-pictures.ts';
import type { PictureCase } from '../support/picture-cases.ts';
import { goodCases, quickGoodCases, wrongCases } from '../support/picture-cases.ts';
import type { Bench, BenchOptions } from './bench.ts';
import type { Figure } from './figures.ts';
import { figureOf } from './figures.ts';

const QUICK_STEPS = 8;

/** How many of a kind's pictures there were, and how many of them were refused. */
interface Count {
  pictures: number;
  refused: number;
}

/** How many good pictures the picture check refuses, and how many of the wrong ones, by what is wrong. */
export const benchPictures: Bench = async (options, report) => {
  await using bundles = new AsyncDisposableStack();
  const opened = new Map<string, PicoBundle>();
  for (const name of ['pico', 'pico-noto']) opened.set(name, bundles.use(await openPicoBundle(name)));
  const { isQuick } = options;
  const good = await count(opened, isQuick ? quickGoodCases(QUICK_STEPS) : goodCases(), options);
  for (const [kind, each] of good) report(figure(`pictures.falsePositives, ${kind}`, each, '0'));
  report(figure('pictures.falsePositives', total(good), '0'));
  const wrong = await count(opened, wrongCases(isQuick ? ['EULER_DISCRETE'] : undefined), options);
  for (const [kind, each] of wrong) report(figure(`pictures.caught, ${kind}`, each, '1'));
};

async function count(
  bundles: ReadonlyMap<string, PicoBundle>,
  cases: readonly PictureCase[],
  { signal, say }: BenchOptions,
): Promise<ReadonlyMap<string, Count>> {
  const counts = new Map<string, Count>();
  for (const [index, { kind, bundle: name, recipe, wishes }] of cases.entries()) {
    signal.throwIfAborted();
    const bundle = bundles.get(name);
    if (!bundle) throw new Error(`There is no bundle ${name}.`);
    const faults = await judgePictures(bundle, recipe, wishes);
    const refused = faults.flatMap((fault) => fault ?? []);
    const { pictures, refused: before } = counts.get(kind) ?? { pictures: 0, refused: 0 };
    counts.set(kind, { pictures: pictures + faults.length, refused: before + refused.length });
    const { scheduler = '', sigmaSchedule = '' } = recipe;
    const seen =
      refused
        .map((fault) => ('seen' in fault ? `${fault.kind} ${fault.seen.toPrecision(2)}` : fault.kind))
        .join(', ') || 'none refused';
    say(`call ${index + 1} of ${cases.length}, ${kind}, ${scheduler} ${sigmaSchedule}: ${seen}`);
  }
  return counts;
}

function total(counts: ReadonlyMap<string, Count>): Count {
  const all = [...counts.values()];
  return {
    pictures: all.reduce((sum, { pictures }) => sum + pictures, 0),
    refused: all.reduce((sum, { refused }) => sum + refused, 0),
  };
}

function figure(name: string, { pictures, refused }: Count, aim: string): Figure {
  const about = { name, reference: 'the pictures drawn', aim, unit: 'pictures' };
  return figureOf(about, [{ value: refused, reference: pictures }]);
}
