import { describe, expect, it } from 'vitest';
import { chooseNode, npmCommand } from './node.mjs';

const choose = (isThere: boolean, version: string) =>
  chooseNode({
    vendored: '/vendored/node',
    exists: () => isThere,
    running: { path: '/running/node', version },
  });

describe('the Node that runs the program', () => {
  it('is the one of the packages when it is there, also when a newer one runs', () => {
    expect(choose(true, '20.0.0')).toBe('/vendored/node');
    expect(choose(true, '26.1.0')).toBe('/vendored/node');
  });

  it('is the running one on a platform that has no package, if it is new enough', () => {
    expect(choose(false, '24.0.0')).toBe('/running/node');
  });

  it('is refused with what to install when neither will do', () => {
    expect(() => choose(false, '22.20.0')).toThrow(/running is 22\.20\.0\. Install Node 24/);
  });
});

describe('npm', () => {
  it('is the one that started us, on the Node that runs us', () => {
    expect(npmCommand({ npm_execpath: '/lib/npm/bin/npm-cli.js' })).toEqual([
      process.execPath,
      '/lib/npm/bin/npm-cli.js',
    ]);
  });

  it('is found on the path when another tool or nothing started us', () => {
    expect(npmCommand({})).toEqual(['npm']);
    expect(npmCommand({ npm_execpath: '/lib/pnpm/bin/pnpm.cjs' })).toEqual(['npm']);
  });
});
