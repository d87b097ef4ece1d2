import { expect, it } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Server } from './supervise.ts';
import { supervise } from './supervise.ts';

const SOON = { timeout: 2_000, interval: 1 };

interface FakeServer extends Server {
  /** Ends it, as a crash does. */
  crash(): void;
  readonly isRunning: boolean;
}

function createServer(): FakeServer {
  const exited = Promise.withResolvers<object>();
  let isRunning = true;
  const end = () => {
    isRunning = false;
    exited.resolve({});
  };
  return {
    exited: exited.promise,
    crash: end,
    get isRunning() {
      return isRunning;
    },
    async [Symbol.asyncDispose]() {
      end();
    },
  };
}

function createWorld() {
  const clock = createManualClock();
  const started: FakeServer[] = [];
  const lines: string[] = [];
  const log = (_: object, message: string) => void lines.push(message);
  const world = {
    clock,
    started,
    lines,
    refusal: null as Error | null,
    options: {
      name: 'the server',
      start: async () => {
        if (world.refusal) throw world.refusal;
        const server = createServer();
        started.push(server);
        return server;
      },
      clock,
      random: systemRandom,
      logger: { info: log, error: log },
    },
  };
  return world;
}

it('tells why the first start failed, and does not try again', async () => {
  const world = createWorld();
  world.refusal = new Error('no room');

  await expect(supervise(world.options)).rejects.toThrow('no room');
});

it('starts a server again that ends by itself, also when a start fails in between', async () => {
  const world = createWorld();
  await using supervised = await supervise(world.options);
  expect(supervised.first).toBe(world.started[0]);

  world.refusal = new Error('port taken');
  world.started[0]?.crash();
  await expect.poll(() => world.lines, SOON).toHaveLength(1);
  world.clock.advance(100);
  await expect.poll(() => world.lines.at(-1), SOON).toMatch(/could not be started/);
  world.refusal = null;
  await expect
    .poll(() => {
      world.clock.advance(100);
      return world.started.length;
    }, SOON)
    .toBe(2);
  expect(world.started[1]?.isRunning).toBe(true);
});

it('waits longer each time while a server keeps ending, and at most ten seconds', async () => {
  const world = createWorld();
  await using _ = await supervise(world.options);
  const waits: number[] = [];

  for (let crash = 0; crash < 10; crash += 1) {
    const before = world.started.length;
    world.started.at(-1)?.crash();
    await expect.poll(() => world.lines.filter((line) => /ended/.test(line)).length, SOON).toBe(crash + 1);
    let waitedMs = 0;
    await expect
      .poll(() => {
        if (world.started.length === before) {
          world.clock.advance(25);
          waitedMs += 25;
        }
        return world.started.length;
      }, SOON)
      .toBe(before + 1);
    waits.push(waitedMs);
  }

  expect(waits[0]).toBeLessThanOrEqual(150);
  expect(waits[5]).toBeGreaterThan(1_500);
  expect(Math.max(...waits)).toBeLessThanOrEqual(10_100);
});

it('that is disposed of stops the server and starts none any more', async () => {
  const world = createWorld();
  const supervised = await supervise(world.options);
  world.started[0]?.crash();
  await expect.poll(() => world.lines, SOON).toHaveLength(1);

  await supervised[Symbol.asyncDispose]();
  world.clock.advance(60_000);

  expect(world.started).toHaveLength(1);
});
