import { describe, expect, it } from 'vitest';
import type { Pixels } from './measure-pixels.ts';
import { cellSteps, levelRange } from './measure-pixels.ts';

/** 32 by 16 pixels, in cells of 8: two rows of four. */
const SIZE = { width: 32, height: 16 };
const GRID = [4, 2, 4] as const;

function paint(colourAt: (x: number, y: number) => readonly [number, number, number]): Pixels {
  const data = Uint8Array.from({ length: SIZE.width * SIZE.height * 3 }, (_, k) => {
    const pixel = Math.floor(k / 3);
    return colourAt(pixel % SIZE.width, Math.floor(pixel / SIZE.width))[k % 3] ?? 0;
  });
  return { ...SIZE, data };
}

describe('the range of levels', () => {
  it('is 0 for one colour, however far its channels are apart', () => {
    expect(
      levelRange(
        paint(() => [0, 128, 255]),
        255,
      ),
    ).toBe(0);
  });

  it('is that of the channel that changes most', () => {
    expect(
      levelRange(
        paint((x, y) => [10, x === 5 ? 90 : 60, y === 3 ? 20 : 24]),
        255,
      ),
    ).toBe(30);
  });

  it('is more than enough as soon as it can be told', () => {
    const gradient = paint((x) => [8 * x, 0, 0]);
    expect(levelRange(gradient, 20)).toBe(24);
    expect(levelRange(gradient, 255)).toBe(248);
  });
});

describe('the steps between cells', () => {
  it('are those between the means of neighbours, in the channel that changes most', () => {
    // A step of 40 wherever a column of cells ends, and none between the rows.
    const columns = paint((x) => [100, Math.floor(x / 8) * 40, Math.floor(x / 8) * 10]);
    expect(cellSteps(columns, GRID)).toEqual({ median: 40, quietShare: 0 });
  });

  it('do not see what changes within a cell', () => {
    expect(
      cellSteps(
        paint((x) => [x % 2 === 0 ? 0 : 255, 0, 0]),
        GRID,
      ),
    ).toEqual({ median: 0, quietShare: 1 });
  });

  it('count as quiet what is like all of its neighbours', () => {
    // Only the last column is loud, and the one before it is its neighbour.
    const edge = paint((x) => [x < 24 ? 50 : 200, 0, 0]);
    expect(cellSteps(edge, GRID).quietShare).toBe(0.5);
  });
});
