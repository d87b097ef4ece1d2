import type { PlatformStats } from '../domains/operations/index.ts';

type Row = readonly [name: keyof PlatformStats, unit: string, digits: number];

const ROWS: readonly Row[] = [
  ['queueDepth', 'jobs', 0],
  ['rowsInFlight', 'rows', 0],
  ['meanBatch', 'rows per call', 2],
  ['stepsPerSecond', 'rows per second', 1],
  ['stepGapMs', 'ms', 2],
  ['eventLoopDelayMs', 'ms', 2],
  ['eventsPerSecond', 'events per second', 1],
  ['sockets', 'open', 0],
  ['socketBufferBytesMax', 'bytes', 0],
];

const NOTHING = '-';
const NAME_CHARS = Math.max(...ROWS.map(([name]) => name.length));

/**
 * The figures for a person, one a line, a dash for one that nothing has run for yet. `isOver` writes
 * over the table that was printed last.
 */
export function statsTable(stats: PlatformStats, { isOver }: { readonly isOver: boolean }): string {
  const values = ROWS.map(([name, , digits]) => stats[name]?.toFixed(digits) ?? NOTHING);
  const valueChars = Math.max(...values.map((value) => value.length));
  const lines = ROWS.map(([name, unit], index) => {
    const value = (values[index] ?? NOTHING).padStart(valueChars);
    return `${name.padEnd(NAME_CHARS)}  ${value} ${unit}\n`;
  });
  // Up to the first line, and clear from there: numbers get shorter too.
  return (isOver ? `\u001b[${ROWS.length}A\u001b[J` : '') + lines.join('');
}
