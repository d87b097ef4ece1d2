import { describe, expect, it } from 'vitest';
import { createSlots } from './slots.ts';

describe('slots', () => {
  it('run no more at a time than there are, in order, each exactly once', async () => {
    const slots = createSlots(2);
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const started: number[] = [];
    let running = 0;
    let runningMax = 0;
    const tasks = gates.map((gate, index) =>
      slots.run(async () => {
        started.push(index);
        runningMax = Math.max(runningMax, ++running);
        await gate.promise;
        running -= 1;
        return index;
      }),
    );
    expect(started).toEqual([0, 1]);
    for (const gate of gates) gate.resolve();
    expect(await Promise.all(tasks)).toEqual([0, 1, 2, 3, 4]);
    expect(started).toEqual([0, 1, 2, 3, 4]);
    expect(runningMax).toBe(2);
  });

  it('are given back by a task that fails', async () => {
    const slots = createSlots(1);
    await expect(slots.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(slots.run(() => Promise.resolve('next'))).resolves.toBe('next');
  });
});
