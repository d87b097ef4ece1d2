import { at } from './scheduler.ts';

/** Solves a small system of linear equations by Gauss's elimination with row exchange. */
export function solve(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] {
  const rows = matrix.map((row, i) => [...row, at(right, i)]);
  const size = rows.length;
  for (let column = 0; column < size; column += 1) {
    const rest = rows.slice(column).toSorted((a, b) => Math.abs(at(b, column)) - Math.abs(at(a, column)));
    rows.splice(column, rest.length, ...rest);
    const pivot = at(rows, column);
    for (let below = column + 1; below < size; below += 1) {
      const factor = at(at(rows, below), column) / at(pivot, column);
      rows[below] = at(rows, below).map((value, k) => value - factor * at(pivot, k));
    }
  }
  const solved = new Array<number>(size).fill(0);
  for (const [i, row] of [...rows.entries()].toReversed()) {
    // Those not solved yet are 0, and count for nothing.
    const known = solved.reduce((sum, value, k) => sum + value * at(row, k), 0);
    solved[i] = (at(row, size) - known) / at(row, i);
  }
  return solved;
}
