import { describe, expect, it } from 'vitest';
import type { DatabaseUrls } from './logins.ts';
import { agree, loginsOf, settingNames } from './logins.ts';
import type { Role } from './roles.ts';
import { ALL_ROLES } from './roles.ts';

const ALL: DatabaseUrls = {
  app: 'postgres://app@db/x',
  auth: 'postgres://auth@db/x',
  dispatcher: 'postgres://dispatcher@db/x',
  system: 'postgres://system@db/x',
  listen: 'postgres://app@direct/x',
};

describe('the logins of a process', () => {
  it.each<[Role, readonly (keyof DatabaseUrls)[]]>([
    ['api', ['app', 'auth', 'listen']],
    ['dispatcher', ['dispatcher', 'listen']],
    ['background', ['system']],
  ])('with the role %s alone are %s, however many there are', (role, logins) => {
    const kept = loginsOf(new Set([role]), ALL);

    expect(Object.keys(kept).toSorted()).toEqual(logins.toSorted());
    expect(loginsOf(new Set([role]), kept)).toEqual(kept);
  });

  it('of all roles are all', () => {
    expect(loginsOf(ALL_ROLES, ALL)).toEqual(ALL);
  });

  it('that are missing are named, each with the role that needs it', () => {
    const { listen: _, auth: __, ...given } = ALL;
    expect(() => loginsOf(ALL_ROLES, given)).toThrow(
      /DATABASE_AUTH_URL, DATABASE_LISTEN_URL missing, .* role api .*; DATABASE_LISTEN_URL missing, .* role dispatcher /,
    );
    expect(() => loginsOf(new Set(['background']), given)).not.toThrow();
  });

  it('are called by their settings', () => {
    const { system = '', auth = '' } = ALL;
    expect(settingNames({ system, auth })).toEqual({ DATABASE_AUTH_URL: auth, DATABASE_SYSTEM_URL: system });
  });

  it('of two processes agree as far as both have them', () => {
    const { system = '' } = ALL;
    expect(agree(ALL, { system })).toBe(true);
    expect(agree(ALL, { system: 'postgres://system@elsewhere/x' })).toBe(false);
  });
});
