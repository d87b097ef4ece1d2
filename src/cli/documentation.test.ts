import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createTestHost } from '../../test/support/host.ts';
import { SETTINGS } from '../config/index.ts';
import { createProgram } from './program.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = globSync(['*.md', 'docs/*.md', 'deploy/**/README.md'], {
  cwd: ROOT,
  exclude: ['**/.venv*/**', '**/node_modules/**'],
});
const SETTING = /\b(?:DARKROOM|DATABASE|S3)_[A-Z_]*[A-Z]\b/g;

const program = createProgram(createTestHost(), '0.0.0');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** The commands of a page's blocks, a line each, without comments and with continued lines made one. */
function commandsIn(page: string): readonly string[] {
  const blocks = [...read(page).matchAll(/^```(?:sh)?\n(.*?)^```$/gms)].map(([, text = '']) => text);
  return blocks
    .join('')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s#.*$/, ''));
}

/** What follows each `prefix`, up to whatever ends a command in a shell. */
function usesOf(prefix: RegExp, page: string): readonly string[] {
  const rest = new RegExp(`${prefix.source}([^|;)>]*)`, 'g');
  return commandsIn(page).flatMap((line) => [...line.matchAll(rest)].map(([, args = '']) => args.trim()));
}

/** Says what a page gets wrong about `darkroom ARGS`; null when nothing. */
function faultOf(args: string): string | null {
  const words = args.match(/"[^"]*"|\S+/g) ?? [];
  let command: Command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (!next) break;
    command = next;
  }
  if (command === program) return `there is no darkroom ${words[0]}`;
  const known = new Set(command.options.flatMap(({ long }) => long ?? []));
  const unknown = words.filter((word) => /^--\w/.test(word)).filter((word) => !known.has(word));
  return unknown.length === 0 ? null : `${command.name()} has no ${unknown.join(', ')}`;
}

const faultsIn = (page: string) =>
  usesOf(/npm exec -- darkroom /, page).flatMap((args) => faultOf(args) ?? []);

describe('the documentation', () => {
  it('has the pages that are looked at, and commands in them', () => {
    expect(PAGES).toEqual(
      expect.arrayContaining(['README.md', 'docs/operations.md', 'deploy/triton/README.md']),
    );
    expect(usesOf(/npm exec -- darkroom /, 'README.md').length).toBeGreaterThan(4);
  });

  it.each(PAGES)('calls darkroom with commands and options that there are: %s', (page) => {
    expect(faultsIn(page)).toEqual([]);
  });

  it.each(PAGES)('names scripts of npm that there are: %s', (page) => {
    const named = [...usesOf(/npm run /, page), ...usesOf(/npm (?=start|test)/, page)];
    expect(named.map((args) => args.split(' ')[0]).filter((name) => !(`${name}` in scripts))).toEqual([]);
  });

  it.each(['README.md', 'docs/operations.md', 'deploy/triton/README.md'])(
    'runs files that there are: %s',
    (page) => {
      const files = commandsIn(page).flatMap((line) => line.match(/\bdeploy\/[\w./-]+/g) ?? []);
      expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    },
  );

  it('names every setting in the operations, and none that does not exist', () => {
    const named = ['README.md', 'docs/operations.md'].map((page) => read(page).match(SETTING) ?? []);
    expect(named.flat().filter((name) => !SETTINGS.includes(name))).toEqual([]);
    expect(named.map((names) => new Set(names)).at(-1)).toEqual(new Set(SETTINGS));
  });
});

describe('a look at the documentation', () => {
  it('sees a command or an option that is not there', () => {
    expect(faultOf('start --roles api --json')).toBeNull();
    expect(faultOf('node add grpc://gpu-1:8001 --name gpu-1')).toBeNull();
    expect(faultOf('begin')).toBe('there is no darkroom begin');
    expect(faultOf('node add grpc://gpu-1:8001 --roles api')).toBe('add has no --roles');
  });
});
