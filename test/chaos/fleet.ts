import { mkdir, writeFile } from 'node:fs/promises';
import type { Operator } from '../../src/app.ts';
import { openOperator } from '../../src/app.ts';
import { deriveKeys, readRunFile } from '../../src/hosting/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Fault } from '../../src/kernel/fault-points.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { findLastingPort } from '../../src/platform/process/ports.ts';
import type { Outcome, Program } from '../support/processes.ts';
import { startDarkroom } from '../support/processes.ts';
import type { Sandbox } from '../support/sandbox.ts';
import type { Part } from '../support/split.ts';
import { startPart } from '../support/split.ts';
import type { Role } from './lives.ts';

/** A customer of the run. */
export interface Tenant {
  readonly tenantId: string;
  readonly apiKey: string;
}

/** A place where one process of a role follows the other; an API's address stays the same. */
export interface Slot {
  readonly name: string;
  readonly role: Role;
  readonly port: number;
}

/** The processes of one platform on one data folder. Disposing ends those that still run, the host last. */
export interface Fleet extends AsyncDisposable {
  /** The superuser's way into the database. */
  readonly adminUrl: string;
  readonly objectsDirectory: string;
  host(): Part;
  addedNode(): Program;
  /** Starts the next process in a slot, armed or not. One that does not come up is followed by another. */
  start(slot: Slot, fault: Fault | null): Promise<Part>;
  /** A process that is told so may end; any other end is told to `onCrash`. */
  release(program: Program): void;
  restartHost(): Promise<void>;
  restartAddedNode(): Promise<void>;
  createTenant(name: string): Promise<Tenant>;
  /** Starts that failed, as they do while the database is away. */
  failedStarts(): number;
}

export interface FleetDeps {
  readonly sandbox: Sandbox;
  /** Told of a process that ends without having been asked to. */
  readonly onCrash: (name: string, outcome: Outcome) => void;
}

const OPENING_CREDITS = 100_000_000;
const START_ATTEMPTS_MAX = 10;
const START_PAUSE_MS = 500;

/** Starts what all need: the host with Postgres and a node, and a second node beside it. */
export async function openFleet({ sandbox, onCrash }: FleetDeps): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const data = ['--data', sandbox.at('data')];
  await mkdir(sandbox.at('logs'));
  const crew = createCrew(sandbox, onCrash);
  let failedStarts = 0;
  let isClosed = false;

  const startRole = async (name: string, args: readonly string[], env: Record<string, string> = {}) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return crew.watch(await startPart(sandbox, [...args, ...data], env), name);
      } catch (error) {
        failedStarts += 1;
        if (isClosed || attempt >= START_ATTEMPTS_MAX) throw error;
        await systemClock.sleep(START_PAUSE_MS);
      }
    }
  };
  const nodePort = await findLastingPort(systemRandom);
  const startNode = async () => {
    const args = ['node', '--json', '--port', `${nodePort}`, '--workers', '1'];
    const program = crew.watch(startDarkroom(args, sandbox), 'added-node');
    await program.line('stdout', /./);
    return program;
  };

  let host = await startRole('host', ['--roles', 'background']);
  stack.defer(() => end(host));
  stack.defer(() => {
    isClosed = true;
    return crew.endAllBut(host);
  });
  let addedNode = await startNode();
  const operator = stack.use(await openOperatorOf(sandbox.at('data')));
  await operator.fleet.add('added-node', `grpc://127.0.0.1:${nodePort}`);
  const { databaseUrl } = host.ready;
  if (databaseUrl === null) throw new Error('The host has no database.');
  const owned = stack.move();
  return {
    adminUrl: databaseUrl,
    objectsDirectory: sandbox.at('data', 'objects'),
    host: () => host,
    addedNode: () => addedNode,
    start: ({ name, role, port }, fault) =>
      startRole(name, ['--roles', role, '--port', `${port}`], environmentOf(fault)),
    release: crew.release,
    async restartHost() {
      host = await startRole('host', ['--roles', 'background']);
    },
    async restartAddedNode() {
      addedNode = await startNode();
    },
    async createTenant(name) {
      const slug = name.toLowerCase().replaceAll(' ', '-');
      const { id } = await operator.onboarding.createTenant({ name, slug, credits: OPENING_CREDITS });
      const { text } = await operator.onboarding.issueKey(id, { name: 'chaos', environment: 'LIVE' });
      return { tenantId: id, apiKey: text };
    },
    failedStarts: () => failedStarts,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openOperatorOf(dataDirectory: string): Promise<Operator> {
  const { database, secret } = await readRunFile(dataDirectory);
  if (database.system === undefined) throw new Error('The host has no login of darkroom_system.');
  return openOperator(database.system, deriveKeys(secret).pepper);
}

function environmentOf(fault: Fault | null): Record<string, string> {
  return fault === null ? {} : { DARKROOM_FAULT: `${fault.point}:${fault.action}:${fault.nth}` };
}

/** Every process of the run, each of which leaves a log. */
function createCrew(sandbox: Sandbox, onCrash: FleetDeps['onCrash']) {
  const running = new Set<Program>();
  const released = new Set<Program>();
  let logs = 0;
  // One that comes up now is too late.
  let isOver = false;
  const onEnd = async (program: Program, name: string) => {
    const outcome = await program.ended;
    running.delete(program);
    if (!released.has(program)) onCrash(name, outcome);
    logs += 1;
    const file = sandbox.at('logs', `${`${logs}`.padStart(3, '0')}-${name}.log`);
    await writeFile(file, `ended with ${outcome.code ?? outcome.signal}\n${outcome.stderr}`);
  };
  return {
    watch<P extends Program>(program: P, name: string): P {
      running.add(program);
      if (isOver) {
        released.add(program);
        program.signal('SIGKILL');
      }
      // The folder of the logs goes with the run, which may be over before its last process.
      void onEnd(program, name).catch(() => undefined);
      return program;
    },
    release: (program: Program) => void released.add(program),
    async endAllBut(last: Program) {
      isOver = true;
      for (const program of running) released.add(program);
      await Promise.all([...running].filter(({ pid }) => pid !== last.pid).map(end));
    },
  };
}

async function end(program: Program): Promise<void> {
  // One that is paused would not hear anything else.
  program.signal('SIGCONT');
  await program[Symbol.asyncDispose]();
}

/** A slot with a port that no outgoing connection is given while its process is away. */
export async function openSlot(name: string, role: Role): Promise<Slot> {
  return { name, role, port: await findLastingPort(systemRandom) };
}
