import { describe, expect, it } from 'vitest';
import { createKeyedSlots, createSlots } from './slots.ts';

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

  it('are left alone by a task whose signal fires before its turn: it never runs, and holds up nobody', async () => {
    const slots = createSlots(1);
    const [first, leaving] = [Promise.withResolvers<void>(), new AbortController()];
    const running = slots.run(() => first.promise);
    const ran: string[] = [];
    const left = slots.run(async () => ran.push('left'), leaving.signal);
    const last = slots.run(async () => ran.push('last'), new AbortController().signal);
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    await expect(slots.run(async () => ran.push('late'), leaving.signal)).rejects.toThrow('gone');
    first.resolve();
    await Promise.all([running, last]);
    expect(ran).toEqual(['last']);
    await expect(slots.run(async () => 'free')).resolves.toBe('free');
  });
});

describe('keyed slots', () => {
  it('are counted for each key', async () => {
    const slots = createKeyedSlots<string>(1);
    const gate = Promise.withResolvers<void>();
    const held = slots.run('crowded', () => gate.promise);
    const waiting = slots.run('crowded', async () => 'after');
    expect(await slots.run('other', async () => 'at once')).toBe('at once');
    gate.resolve();
    await held;
    expect(await waiting).toBe('after');
  });
});
