import { PassThrough } from 'node:stream';
import pino from 'pino';
import { expect, it } from 'vitest';
import { createMask } from './mask.ts';

it('a fault is logged once for each request that meets it, however many fields it befalls', () => {
  const lines = new PassThrough();
  const mask = createMask(pino(lines));
  const fault = new Error('db-7 is gone');
  for (const requestId of ['req_a', 'req_a', 'req_b', 'req_a']) {
    expect(mask(fault, requestId)).toEqual({
      message: 'Internal error.',
      extensions: { code: 'INTERNAL', requestId },
    });
  }
  const logged = String(lines.read()).trimEnd().split('\n');
  expect(logged.map((line) => /req_./.exec(line)?.[0])).toEqual(['req_a', 'req_b']);
});
