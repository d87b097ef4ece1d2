import { describe, expect, it } from 'vitest';
import type { Environment } from './config.ts';
import { readConfig } from './config.ts';

const ALL = {
  DATABASE_URL: 'postgres://app@db/darkroom',
  DATABASE_AUTH_URL: 'postgres://auth@db/darkroom',
  DATABASE_DISPATCHER_URL: 'postgres://dispatcher@db/darkroom',
  DATABASE_SYSTEM_URL: 'postgres://system@db/darkroom',
  DATABASE_LISTEN_URL: 'postgres://app@direct/darkroom',
};

describe('configuration', () => {
  it('needs nothing: without settings the embedded database is meant', () => {
    expect(readConfig({}).config).toMatchObject({
      database: null,
      logLevel: null,
      http: { host: '127.0.0.1' },
    });
    expect(readConfig({ DATABASE_URL: '' }).config.database).toBeNull();
  });

  it('takes the logins of an external database that are given, whichever they are', () => {
    expect(readConfig(ALL).config.database).toMatchObject({ listen: ALL.DATABASE_LISTEN_URL });
    const { DATABASE_SYSTEM_URL } = ALL;
    expect(readConfig({ DATABASE_SYSTEM_URL }).config.database).toEqual({ system: DATABASE_SYSTEM_URL });
  });

  const S3 = {
    S3_ENDPOINT: 'https://s3.example.com/',
    S3_REGION: 'eu-central-1',
    S3_BUCKET: 'pictures',
    S3_ACCESS_KEY_ID: 'AKIA',
    S3_SECRET_ACCESS_KEY: 'hunter2',
  };

  it('keeps pictures in S3 with all five settings, and in the data folder with none', () => {
    expect(readConfig({}).config.s3).toBeNull();
    expect(readConfig({ ...S3, S3_ENDPOINT: 'http://127.0.0.1:8333' }).config.s3).toEqual({
      endpoint: 'http://127.0.0.1:8333',
      region: 'eu-central-1',
      bucket: 'pictures',
      accessKeyId: 'AKIA',
      secretAccessKey: 'hunter2',
    });
    expect(readConfig(S3).config.s3?.endpoint).toBe('https://s3.example.com');
  });

  it.each(Object.keys(S3))('names %s when it alone is missing, and says no secret', (name) => {
    const without = { ...S3, [name]: '' };
    expect(() => readConfig(without)).toThrow(`all five settings; ${name} missing`);
    expect(() => readConfig(without)).not.toThrow(/hunter2/);
  });

  it('takes for an endpoint what can be one, without a bucket in it', () => {
    for (const S3_ENDPOINT of [
      's3.example.com',
      'ftp://s3.example.com',
      'https://s3.example.com/pictures',
      'https://user:hunter2@s3.example.com',
      'https://s3.example.com?x=hunter2',
    ]) {
      expect(() => readConfig({ ...S3, S3_ENDPOINT })).toThrow(/S3_ENDPOINT must/);
      expect(() => readConfig({ ...S3, S3_ENDPOINT })).not.toThrow(/hunter2/);
    }
    expect(() => readConfig({ ...S3, S3_BUCKET: 'Pictures/' })).toThrow(/S3_BUCKET must be the name/);
    expect(() => readConfig({ ...S3, S3_REGION: 'eu central' })).toThrow(/S3_REGION must be/);
  });

  it('names every setting at fault, and never its value', () => {
    const wrong = { DARKROOM_SECRET: 'hunter2', DARKROOM_LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://secret' };
    expect(() => readConfig(wrong)).toThrow(/DARKROOM_LOG_LEVEL.*DARKROOM_SECRET.*DATABASE_URL/);
    expect(() => readConfig(wrong)).not.toThrow(/hunter2|mysql/);
  });

  it('takes a list of origins with or without spaces', () => {
    const { http } = readConfig({ DARKROOM_ALLOWED_ORIGINS: 'https://a.example, https://b.example,' }).config;
    expect(http.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
  });

  it('takes origins only where pages or clients are let in by them, and as browsers spell them', () => {
    const of = (name: string, text: string) => readConfig({ [name]: text }).config.http;
    expect(of('DARKROOM_PUBLIC_URL', 'https://Draw.example:443/').publicUrl).toBe('https://draw.example');
    expect(of('DARKROOM_ALLOWED_ORIGINS', 'https://A.example/').allowedOrigins).toEqual([
      'https://a.example',
    ]);
    for (const wrong of [
      'draw.example',
      'ftp://draw.example',
      'https://draw.example/graphql',
      'https://draw.example?x',
      'https://a:b@draw.example',
      '*',
    ]) {
      for (const name of ['DARKROOM_PUBLIC_URL', 'DARKROOM_ALLOWED_ORIGINS']) {
        expect(() => of(name, wrong)).toThrow(new RegExp(`${name} must be an origin such as https://`));
      }
    }
  });

  it.each([
    ['DARKROOM_LOG_LEVEL', 'loud', 'must be one of debug, info, warn, error, silent'],
    ['DARKROOM_NODE_CALL_TIMEOUT_MS', 'soon', 'must be a whole number of milliseconds'],
    ['DARKROOM_NODE_CALL_TIMEOUT_MS', '1.5', 'must be a whole number of milliseconds'],
    ['DARKROOM_NODE_CALL_TIMEOUT_MS', '0', 'must be above 0'],
    ['DARKROOM_PICTURE_CHECK', 'off', 'must be one of refuse, log'],
    ['DATABASE_URL', 'mysql://x', 'must start with postgres://'],
  ])('says what %s has to be when it is %s', (name, value, words) => {
    expect(() => readConfig({ [name]: value })).toThrow(`The environment is not right: ${name} ${words}.`);
  });

  it('refuses pictures that are noise or flat unless it is told only to log them', () => {
    const of = (env: Environment) => readConfig(env).config.pictureCheck;
    expect(of({})).toBe('refuse');
    expect(of({ DARKROOM_PICTURE_CHECK: 'log' })).toBe('log');
  });

  it('takes a point to die at, or says which points there are', () => {
    const faultOf = (text: string) => readConfig({ DARKROOM_FAULT: text }).config.fault;
    expect(readConfig({}).config.fault).toBeNull();
    expect(faultOf('submit.committed:kill')).toEqual({ point: 'submit.committed', action: 'kill', nth: 1 });
    expect(faultOf('dispatcher.stepped:stop:3')).toEqual({
      point: 'dispatcher.stepped',
      action: 'stop',
      nth: 3,
    });
    for (const wrong of [
      'submit',
      'submit.committed:hang',
      'x:kill',
      'submit.committed:kill:0',
      'submit.committed:kill:1:2',
    ]) {
      expect(() => faultOf(wrong)).toThrow(/DARKROOM_FAULT.*submit\.before-commit.*kill, stop/);
    }
  });

  it('takes a token for /metrics that a header can carry and nobody guesses', () => {
    const of = (token: string) => readConfig({ DARKROOM_METRICS_TOKEN: token }).config.http.metricsToken;
    expect(readConfig({}).config.http.metricsToken).toBeNull();
    expect(of('0123456789abcdef')).toBe('0123456789abcdef');
    for (const token of ['short', 'with a space in it', `${'a'.repeat(20)}\n`]) {
      expect(() => of(token)).toThrow('DARKROOM_METRICS_TOKEN must have');
    }
  });

  it('keeps the secret and the login of the administrator apart from the settings', () => {
    const secret = 's'.repeat(40);
    const { config, secrets } = readConfig({
      DARKROOM_SECRET: secret,
      DATABASE_MIGRATE_URL: 'postgres://admin:pw@db/x',
    });
    expect(secrets.secret).toBe(secret);
    expect(JSON.stringify(config)).not.toMatch(/ssss|admin/);
  });
});
