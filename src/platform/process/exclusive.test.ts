import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { isTaken, takeExclusive } from './exclusive.ts';

it('is had by one at a time, and free again when it is given back', async () => {
  const name = randomUUID();
  const first = await takeExclusive(name);

  expect(await takeExclusive(name)).toBeNull();
  expect(await isTaken(name)).toBe(true);
  await first?.[Symbol.asyncDispose]();

  expect(await isTaken(name)).toBe(false);
  await using again = await takeExclusive(name);
  expect(again).not.toBeNull();
});

it('is given to one of many who ask at once', async () => {
  const name = randomUUID();

  const asked = await Promise.all(Array.from({ length: 20 }, () => takeExclusive(name)));

  const taken = asked.filter((each) => each !== null);
  expect(taken).toHaveLength(1);
  await taken[0]?.[Symbol.asyncDispose]();
});

it('is free in the moment its holder is killed', async () => {
  const name = randomUUID();
  const module = JSON.stringify(new URL('exclusive.ts', import.meta.url).href);
  const program = `import { takeExclusive } from ${module};
    await takeExclusive(${JSON.stringify(name)});
    console.log('taken');
    setInterval(() => {}, 1_000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  await once(holder.stdout, 'data');
  expect(await isTaken(name)).toBe(true);

  holder.kill('SIGKILL');
  await once(holder, 'exit');

  await using again = await takeExclusive(name);
  expect(again).not.toBeNull();
});
