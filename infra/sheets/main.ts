import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { judgePicture, resolveSettings, SCHEDULER_NAMES, validate } from '../../src/diffusion/index.ts';
import type { DrawOptions, Painter } from '../../test/parity/pico.ts';
import { openPainter } from '../../test/parity/pico.ts';
import { readSchedulerConfig } from '../../test/parity/recorded.ts';
import { ROOT } from '../checks/run-tool.ts';
import type { Cell } from './sheet.ts';
import { sheetOf } from './sheet.ts';

// Draws the pictures of docs/diffusion.md again: `npm run sheets`.

const PROMPT = 'a red apple, blue background';
const SEED = 7n;
/** What diffusers' `_legacy_load_scheduler` writes, and 25 steps make of it what can be seen on the sheet. */
const WRONG_BETAS = { beta_start: 0.02, beta_end: 0.085 } as const;

await using painter = await openPainter();
await write('schedulers', await drawSchedulers(painter), 6);
await write('caught', await drawCaught(painter), 2);

async function write(name: string, cells: readonly Cell[], columns: number): Promise<void> {
  const file = join(ROOT, 'docs/images', `${name}.png`);
  await writeFile(file, await sheetOf(cells, columns));
  process.stdout.write(`${file}\n`);
}

/** One picture of each scheduler, or why it is refused. */
async function drawSchedulers(from: Painter): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const scheduler of SCHEDULER_NAMES) {
    const settings = resolveSettings(from.manifest, { prompt: PROMPT, seed: SEED, scheduler });
    const refusal = validate(from.manifest, readSchedulerConfig(), settings).find(
      ({ severity }) => severity === 'ERROR',
    );
    cells.push(
      refusal
        ? { label: scheduler, picture: null, words: `${refusal.code}: ${refusal.message}` }
        : { label: scheduler, picture: (await draw(from, scheduler)).picture, words: '' },
    );
  }
  return cells;
}

/** The same job with the model's own betas, and with others forced past the validation. */
async function drawCaught(from: Painter): Promise<readonly Cell[]> {
  const right = await draw(from, 'EULER_DISCRETE');
  const wrong = await draw(from, 'EULER_DISCRETE', { record: readSchedulerConfig(WRONG_BETAS) });
  return [
    { label: "the model's betas", picture: right.picture, words: right.verdict },
    { label: 'betas of 0.02 to 0.085', picture: wrong.picture, words: wrong.verdict },
  ];
}

async function draw(
  { draw: paint, manifest }: Painter,
  scheduler: (typeof SCHEDULER_NAMES)[number],
  options: DrawOptions = {},
): Promise<{ readonly picture: Buffer; readonly verdict: string }> {
  process.stderr.write(`${scheduler}\n`);
  const settings = resolveSettings(manifest, { prompt: PROMPT, seed: SEED, scheduler });
  const { plan, latents, pixels } = await paint(settings, options);
  const { width, height } = settings;
  const fault = judgePicture(plan, { latents, pixels: { width, height, data: pixels } });
  return {
    picture: await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
    verdict: fault === null ? 'passes the check' : fault.code,
  };
}
