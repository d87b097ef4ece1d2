import { describe, expect, it } from 'vitest';
import type { PainterOptions } from './painter.ts';
import { startPainter } from './painter.ts';

/** A program that says `lines`, and then `done` for every line that it is told, or ends when told to. */
function program(lines: readonly object[], onLine: string): PainterOptions['program'] {
  const script = `
    for (const line of ${JSON.stringify(lines)}) console.log(JSON.stringify(line));
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => { ${onLine} });`;
  return { command: process.execPath, args: ['-e', script], env: {} };
}

const DONE = `console.log('{"done":true}')`;
const CALL = { prompt: 'a red apple', seeds: [7, 8], save: null };

function start(asked: PainterOptions['program'], said: string[] = [], signal = new AbortController().signal) {
  return startPainter({ program: asked, say: (text) => said.push(text), signal });
}

describe('a painter', () => {
  it('is there when it is ready, and what it says until then is passed on', async () => {
    const said: string[] = [];
    await using painter = await start(program([{ say: 'exporting' }, { ready: 'diffusers 1' }], DONE), said);

    expect(said).toEqual(['exporting']);
    expect(painter.versions).toBe('diffusers 1');
  });

  it('is told one call at a time, and is done with it when it says so', async () => {
    const echo = `process.stderr.write(line); console.log('{"done":true}')`;
    await using painter = await start(program([{ ready: 'diffusers 1' }], echo));

    await expect(painter.paint(CALL)).resolves.toBeUndefined();
    await expect(painter.paint(CALL)).resolves.toBeUndefined();
  });

  it('that ends instead is a failure with what it complained of', async () => {
    const die = `process.stderr.write('No module named torch'); process.exitCode = 1; process.stdin.destroy()`;
    await using painter = await start(program([{ ready: 'diffusers 1' }], die));
    await expect(painter.paint(CALL)).rejects.toThrow(/has ended:\n.*No module named torch/s);

    const early = { command: process.execPath, args: ['-e', `throw new Error('too old')`], env: {} };
    await expect(start(early)).rejects.toThrow(/has ended:\n.*too old/s);
  });

  it('that answers something else is a failure, and does not stay', async () => {
    await expect(start(program([{ done: true }], DONE))).rejects.toThrow(/not ready/);
    await expect(start(program([{ hello: 1 }], DONE))).rejects.toThrow();
  });

  it('ends with its signal, and that is no failure of its own', async () => {
    const stop = new AbortController();
    await using painter = await start(program([{ ready: 'diffusers 1' }], ''), [], stop.signal);
    const painting = painter.paint(CALL);
    stop.abort(new Error('told to stop'));

    await expect(painting).rejects.toThrow('told to stop');
  });
});
