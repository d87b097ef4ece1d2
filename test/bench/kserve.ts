import { Client, credentials } from '@grpc/grpc-js';
import { systemClock } from '../../src/kernel/clock.ts';
import type { KserveClient } from '../../src/platform/kserve/index.ts';
import {
  connectKserve,
  FLOW_CONTROL_BYTES,
  loadKserveService,
  MESSAGE_BYTES_MAX,
} from '../../src/platform/kserve/index.ts';
import { copyPico } from '../support/models.ts';
import { inferRequest, stackRows, unetRow } from '../support/node.ts';
import { parseLine } from '../support/platform.ts';
import { startDarkroom } from '../support/processes.ts';
import { createSandbox } from '../support/sandbox.ts';
import { startBareProcess } from './bare-process.ts';
import type { Bench, BenchOptions } from './bench.ts';
import { figureOf, percentile, type Pair } from './figures.ts';
import { REQUEST } from './kserve-payload.ts';

const IN_FLIGHT = 4;
const WORKERS = 2;
const PERCENTILE = 0.99;

const FULL = { pairs: 7, calls: 1_500, probes: 1_000 };
const QUICK = { pairs: 2, calls: 200, probes: 200 };
type Size = typeof FULL;

/** Our driver against bare grpc-js with the same bytes, then how soon a busy node answers health calls. */
export const benchKserve: Bench = async (options, report) => {
  const size = options.isQuick ? QUICK : FULL;
  const calls = await compareCalls(options, size);
  const reference = 'a bare grpc-js client and server of the same bytes';
  const rate = { name: 'kserve.callsPerSecond', reference, aim: '>= 0.83', unit: 'calls/s' };
  report(
    figureOf(
      rate,
      calls.map(({ value, reference: bare }) => pairOf(value.perSecond, bare.perSecond)),
    ),
  );
  const cpu = { name: 'kserve.cpuPerCall', reference, aim: '<= 1.2', unit: 'ms' };
  report(
    figureOf(
      cpu,
      calls.map(({ value, reference: bare }) => pairOf(value.cpuMs, bare.cpuMs)),
    ),
  );

  const health = {
    name: 'kserve.healthP99',
    reference: 'the same calls while the node has nothing to do',
    aim: 'below 20 ms',
    unit: 'ms',
  };
  report(figureOf(health, await compareHealth(options, size)));
};

const pairOf = (value: number, reference: number): Pair => ({ value, reference });

interface Rate {
  readonly perSecond: number;
  /** Processor time of this process, the client's, per call. */
  readonly cpuMs: number;
}

interface RatePair {
  readonly value: Rate;
  readonly reference: Rate;
}

async function compareCalls({ say, signal }: BenchOptions, size: Size): Promise<readonly RatePair[]> {
  say('starting a bare gRPC server');
  await using server = await startBareProcess('./bare-echo.ts', []);
  const address = `127.0.0.1:${String(server.hello)}`;
  await using client = connectKserve({ address, callTimeoutMs: 60_000 });
  const driven = () => client.modelInfer(REQUEST);
  using bare = openBare(address);
  await rateOf(bare.call, size.calls / 4);
  await rateOf(driven, size.calls / 4);
  const pairs: RatePair[] = [];
  while (pairs.length < size.pairs) {
    signal.throwIfAborted();
    const reference = await rateOf(bare.call, size.calls);
    const value = await rateOf(driven, size.calls);
    pairs.push({ value, reference });
    const [ours, theirs] = [value, reference].map(({ perSecond }) => perSecond.toFixed(0));
    say(`pair ${pairs.length} of ${size.pairs}: ${ours} against ${theirs} calls/s`);
  }
  return pairs;
}

/**
 * A client that sends the request's bytes and leaves the answer's as they are. It copies them for each call, for
 * every call has a message of its own: one buffer that is sent over and over takes half the processor time, all of
 * it for want of memory to allocate.
 */
function openBare(address: string): Disposable & { readonly call: () => Promise<unknown> } {
  const { ModelInfer } = loadKserveService();
  const bytes = ModelInfer.requestSerialize(REQUEST);
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
  });
  const copy = (buffer: Buffer) => Buffer.from(buffer);
  const identity = (buffer: Buffer) => buffer;
  return {
    call: () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(ModelInfer.path, copy, identity, bytes, (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        });
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

async function rateOf(call: () => Promise<unknown>, count: number): Promise<Rate> {
  const before = process.cpuUsage();
  const startMs = systemClock.monotonicMs();
  let left = count;
  const callInTurn = async () => {
    for (; left > 0; left -= 1) await call();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, callInTurn));
  const { user, system } = process.cpuUsage(before);
  const ms = systemClock.monotonicMs() - startMs;
  return { perSecond: (count * 1_000) / ms, cpuMs: (user + system) / 1_000 / count };
}

async function compareHealth({ say, signal }: BenchOptions, size: Size): Promise<readonly Pair[]> {
  await using sandbox = await createSandbox();
  say('starting a node');
  const models = await copyPico(sandbox.at('models'));
  const args = ['node', '--json', '--port', '0', '--models', models, '--workers', `${WORKERS}`];
  await using program = startDarkroom(args, sandbox);
  const { node } = parseLine<{ node: string }>(await program.line('stdout', /./));
  await using prober = connectKserve({ address: node, callTimeoutMs: 60_000 });
  await using caller = connectKserve({ address: node, callTimeoutMs: 60_000 });
  await probe(prober, size.probes / 4);
  const pairs: Pair[] = [];
  while (pairs.length < size.pairs) {
    signal.throwIfAborted();
    const reference = percentile(await probe(prober, size.probes), PERCENTILE);
    const value = percentile(await whileBusy(caller, () => probe(prober, size.probes)), PERCENTILE);
    pairs.push({ value, reference });
    say(`pair ${pairs.length} of ${size.pairs}: ${value.toFixed(2)} against ${reference.toFixed(2)} ms`);
  }
  return pairs;
}

/** How long each of the calls took, in milliseconds. */
async function probe(client: KserveClient, count: number): Promise<readonly number[]> {
  const took: number[] = [];
  while (took.length < count) {
    const startMs = systemClock.monotonicMs();
    await client.serverReady();
    took.push(systemClock.monotonicMs() - startMs);
  }
  return took;
}

/** Does `work` while every worker of the node evaluates batches of eight rows. */
async function whileBusy<T>(client: KserveClient, work: () => Promise<T>): Promise<T> {
  const rows = Array.from({ length: 8 }, (_, row) => unetRow(row));
  const request = inferRequest('pico.unet_cfg', stackRows(rows));
  let isDone = false;
  const keepBusy = async () => {
    while (!isDone) await client.modelInfer(request);
  };
  const busy = Array.from({ length: WORKERS }, keepBusy);
  try {
    return await work();
  } finally {
    isDone = true;
    await Promise.all(busy);
  }
}
