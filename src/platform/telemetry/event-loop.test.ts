import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { openEventLoopMonitor } from './event-loop.ts';

const BLOCKED_MS = 300;

it('tells the time for which the loop was kept from running', async () => {
  using monitor = openEventLoopMonitor();
  // The first tick only sets the time that the second one is measured from.
  await expect.poll(() => monitor.meanDelayMs(), { interval: 1 }).not.toBeNull();
  const idleMs = monitor.meanDelayMs() ?? Number.NaN;

  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);

  await expect.poll(() => monitor.meanDelayMs(), { interval: 1 }).toBeGreaterThan(idleMs + 1);
});

it('does not take the pause between two looks for a delay', async () => {
  const raw = monitorEventLoopDelay({ resolution: 10 });
  raw.enable();
  using monitor = openEventLoopMonitor();

  await expect.poll(() => raw.count).toBeGreaterThan(20);

  expect(monitor.meanDelayMs()).toBeLessThan(raw.mean / 1e6 - 5);
  raw.disable();
});

it('says that it does not know before it has seen anything', () => {
  using monitor = openEventLoopMonitor();

  expect(monitor.meanDelayMs()).toBeNull();
});
