const NEAREST_MAX = 3;

/** The names that take the fewest letters to change into `wanted`, nearest first; `fold` is what is compared. */
export function nearest(
  wanted: string,
  names: readonly string[],
  fold: (name: string) => string,
): readonly string[] {
  const ranked = names.map((name) => ({ name, changes: changesBetween(fold(name), wanted) }));
  return ranked
    .toSorted((one, other) => one.changes - other.changes)
    .slice(0, NEAREST_MAX)
    .map(({ name }) => name);
}

/** Letters to add, drop or replace (Levenshtein), a row of the table at a time. */
function changesBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [line, letter] of Array.from(one).entries()) {
    const next = [line + 1];
    for (let column = 1; column < row.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === other[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
