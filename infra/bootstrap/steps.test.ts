import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Step } from './steps.mjs';
import { isStale, markFresh, markStale } from './steps.mjs';

const step: Step = {
  says: '',
  failed: '',
  inputs: ['schema', 'queries/*.graphql'],
  output: 'made',
  stamp: 'stamps/made',
  tool: 'node',
  args: ['generate'],
  env: {},
};

describe('a step of the bootstrap', () => {
  let root: string;
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'darkroom-steps-'));
    mkdirSync(join(root, 'queries', 'deep'), { recursive: true });
    write('schema', 'a');
    write('queries/deep/job.graphql', '{ job }');
    write('made', 'made');
    markFresh(root, step);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('is not repeated while nothing it reads has changed, whatever the times of the files', () => {
    utimesSync(join(root, 'schema'), new Date(), new Date(Date.UTC(2100, 0)));
    expect(isStale(root, step)).toBe(false);
  });

  it('is repeated when a file it reads changes, comes or goes', () => {
    write('schema', 'b');
    expect(isStale(root, step)).toBe(true);
    write('schema', 'a');
    write('queries/new.graphql', '');
    expect(isStale(root, step)).toBe(true);
    rmSync(join(root, 'queries/new.graphql'));
    expect(isStale(root, step)).toBe(false);
    rmSync(join(root, 'queries/deep/job.graphql'));
    expect(isStale(root, step)).toBe(true);
  });

  it('is repeated when what it made is gone', () => {
    rmSync(join(root, 'made'));
    expect(isStale(root, step)).toBe(true);
  });

  it('is repeated when it did not end the last time', () => {
    markStale(root, step);
    expect(isStale(root, step)).toBe(true);
  });

  it('is repeated when it is done in another way', () => {
    expect(isStale(root, { ...step, args: ['generate', '--strict'] })).toBe(true);
  });
});
