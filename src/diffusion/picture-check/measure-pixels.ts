import { PICTURE_BOUNDS } from './bounds.ts';
import type { LatentShape } from './measure-latents.ts';
import { eachNeighbour } from './measure-latents.ts';

/** RGB rows of one picture. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const CHANNELS = 3;
const LEVELS_MAX = 255;

/**
 * How many levels lie between the least and the greatest value of a channel, in the one where it is most. Looks no
 * further once that is more than `enough`: most pictures are not flat from their first rows on.
 */
export function levelRange({ data }: Pixels, enough: number): number {
  const least = new Uint8Array(CHANNELS).fill(LEVELS_MAX);
  const greatest = new Uint8Array(CHANNELS);
  let range = 0;
  for (let k = 0; k < data.length && range <= enough; k += 1) {
    const channel = k % CHANNELS;
    const value = data[k] ?? 0;
    const low = Math.min(least[channel] ?? value, value);
    const high = Math.max(greatest[channel] ?? value, value);
    least[channel] = low;
    greatest[channel] = high;
    range = Math.max(range, high - low);
  }
  return range;
}

/** How the colours of a picture change from one latent cell to the next. */
export interface CellSteps {
  /** In levels: between the means of two neighbouring cells, in the channel where it is most. */
  readonly median: number;
  /** Share of the cells that differ from each neighbour by less than `quietLevels`. */
  readonly quietShare: number;
}

/** Measures the steps between the cells of a picture that has a whole number of pixels for each latent value. */
export function cellSteps(pixels: Pixels, [, height, width]: LatentShape): CellSteps {
  const means = cellMeans(pixels, { height, width });
  const steps: number[] = [];
  const loudest = new Float64Array(width * height);
  eachNeighbour([1, height, width], (cell, next) => {
    const step = stepBetween(means, cell, next);
    steps.push(step);
    for (const each of [cell, next]) loudest[each] = Math.max(loudest[each] ?? 0, step);
  });
  const quiet = loudest.reduce((count, step) => (step < PICTURE_BOUNDS.quietLevels ? count + 1 : count), 0);
  const sorted = steps.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, quietShare: quiet / loudest.length };
}

interface Grid {
  readonly height: number;
  readonly width: number;
}

/** The mean colour of every cell, row by row. */
function cellMeans({ data, ...pixels }: Pixels, grid: Grid): Float64Array {
  const [cellHeight, cellWidth] = [pixels.height / grid.height, pixels.width / grid.width];
  const means = new Float64Array(grid.height * grid.width * CHANNELS);
  const rowLength = pixels.width * CHANNELS;
  for (let k = 0; k < data.length; k += 1) {
    const row = Math.floor(k / rowLength / cellHeight);
    const column = Math.floor((k % rowLength) / CHANNELS / cellWidth);
    const at = (row * grid.width + column) * CHANNELS + (k % CHANNELS);
    means[at] = (means[at] ?? 0) + (data[k] ?? 0) / (cellHeight * cellWidth);
  }
  return means;
}

function stepBetween(means: Float64Array, cell: number, next: number): number {
  let most = 0;
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    const step = Math.abs((means[next * CHANNELS + channel] ?? 0) - (means[cell * CHANNELS + channel] ?? 0));
    most = Math.max(most, step);
  }
  return most;
}
