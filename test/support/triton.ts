import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/kernel/clock.ts';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { isCi } from './ci.ts';

const ROOT = join(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'deploy/triton');
const VENV = join(ROOT, '.venv-triton');
const isInstalled = existsSync(join(VENV, 'bin/python'));
const REASON =
  'skipped: Triton is missing. Install it with: python3 -m venv .venv-triton && ' +
  '.venv-triton/bin/pip install --no-deps -r deploy/triton/requirements.txt';

if (!isInstalled) process.stderr.write(`${REASON}\n`);

/** Whether tests against the real server are to be skipped: not on a build machine that it runs on, where they fail. */
export const isTritonSkipped = !isInstalled && !(isCi && process.arch === 'x64');

export interface TritonOptions {
  /** Only these parts of pico. Default: all. */
  readonly parts?: readonly string[];
  /** Calls of one model that run at the same time. Default: 1. */
  readonly instances?: number;
}

/** A real Triton server with pico behind its Python backend. Disposing kills it and clears away what it left. */
export interface RunningTriton extends AsyncDisposable {
  /** `grpc://host:port`. */
  readonly address: string;
  /** The model repository, which is this test's own: its files are hard links to those of the bundle. */
  readonly repository: string;
  /** Asks the server itself to end. */
  terminate(): void;
  /** Kills the process that serves this model, and leaves the server alone. */
  killModel(name: string): Promise<void>;
}

const START_MS = 50_000;
const POLL_MS = 50;

/** Starts Triton on free ports of the loopback; rejects with the end of its log when it does not get ready. */
export async function startTriton({ parts = [], instances = 1 }: TritonOptions = {}): Promise<RunningTriton> {
  if (!isInstalled) throw new Error(REASON);
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-triton-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const repository = join(folder, 'repository');
  const only = parts.flatMap((part) => ['--part', part]);
  const args = ['--out', repository, '--bundle', 'pico', '--instances', `${instances}`, ...only];
  await promisify(execFile)('python3', [join(DEPLOY, 'make_repository.py'), ...args]);

  // Free when they were asked for: that another server took one since shows in the id.
  const [grpc = 0, http = 0, metrics = 0] = await freePorts(3);
  const id = `darkroom-test-${randomBytes(6).toString('hex')}`;
  const log = join(folder, 'log');
  const server = stack.use(await startServer({ repository, log, id, ports: { grpc, http, metrics } }));
  const address = `grpc://127.0.0.1:${grpc}`;
  await untilReady(address, id, server).catch(async (error: unknown) => {
    const said = await readFile(log, 'utf8');
    throw new Error(`Triton did not get ready:\n${said.slice(-4_000)}`, { cause: error });
  });
  const owned = stack.move();
  return {
    address,
    repository,
    terminate: () => void process.kill(server.pid, 'SIGTERM'),
    killModel: (name) => killStub(server.pid, name),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly isOver: () => boolean;
}

interface ServerOptions {
  readonly repository: string;
  readonly log: string;
  readonly id: string;
  readonly ports: { readonly grpc: number; readonly http: number; readonly metrics: number };
}

async function startServer({ repository, log, id, ports }: ServerOptions): Promise<ServerProcess> {
  // A file and not a pipe, which a process of a model would hold open after the server is gone.
  await using output = await open(log, 'w');
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', join(DEPLOY, 'start.sh'), repository, `--id=${id}`],
    {
      // A group of its own, so that the models' processes can be ended with it.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: {
        PATH: process.env.PATH ?? '',
        VENV,
        GRPC_PORT: `${ports.grpc}`,
        HTTP_PORT: `${ports.http}`,
        METRICS_PORT: `${ports.metrics}`,
      },
    },
  );
  const exited = once(child, 'exit');
  const { pid } = child;
  if (pid === undefined) throw new Error('setpriv cannot be started.');
  return {
    pid,
    isOver: () => child.exitCode !== null || child.signalCode !== null,
    async [Symbol.asyncDispose]() {
      // Processes of models may outlive the server.
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // Nobody is left in the group.
      }
      await exited;
      await clearSharedMemory(pid);
    },
  };
}

/** As start.sh names the server's regions of shared memory. */
async function clearSharedMemory(pid: number): Promise<void> {
  const names = await readdir('/dev/shm');
  const left = names.filter((name) => name.startsWith(`darkroom-triton-${pid}-`));
  await Promise.all(left.map((name) => rm(join('/dev/shm', name), { force: true })));
}

async function untilReady(address: string, id: string, server: ServerProcess): Promise<void> {
  await using client = connectKserve({ address, callTimeoutMs: 5_000 });
  const giveUpMs = systemClock.monotonicMs() + START_MS;
  const isReady = async () => (await client.serverReady()) && (await client.serverMetadata()).name === id;
  while (!(await isReady().catch(() => false))) {
    if (server.isOver()) throw new Error('It ended.');
    if (systemClock.monotonicMs() > giveUpMs) throw new Error('It took too long.');
    await systemClock.sleep(POLL_MS);
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

async function killStub(server: number, model: string): Promise<void> {
  const children = await readFile(`/proc/${server}/task/${server}/children`, 'utf8');
  let killed = 0;
  // One that was unloaded in the middle of a request may still be there besides.
  for (const pid of children.split(' ').filter((each) => each !== '')) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!command.split('\0').includes(`${model}_0_0`)) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed += 1;
  }
  if (killed === 0) throw new Error(`No process of ${server} serves ${model}.`);
}
