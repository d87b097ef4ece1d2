import { describe, expect, it } from 'vitest';
import { createInbox } from './inbox.ts';

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('an inbox', () => {
  it('stops its source at 256 values that nobody takes, starts it again at half, and loses none', async () => {
    const calls: string[] = [];
    const inbox = createInbox<number>({
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
    });
    const iterator = inbox[Symbol.asyncIterator]();
    const take = async (count: number) => {
      const taken: (number | undefined)[] = [];
      while (taken.length < count) taken.push((await iterator.next()).value);
      return taken;
    };
    for (const value of numbers(1, 255)) inbox.push(value);
    expect(calls).toEqual([]);
    // What was under way comes all the same.
    for (const value of numbers(256, 300)) inbox.push(value);
    expect(calls).toEqual(['pause']);
    expect(await take(172)).toEqual(numbers(1, 172));
    expect(calls).toEqual(['pause']);
    expect(await take(1)).toEqual([173]);
    expect(calls).toEqual(['pause', 'resume']);
    inbox.end();
    expect(await Array.fromAsync({ [Symbol.asyncIterator]: () => iterator })).toEqual(numbers(174, 300));
  });

  it('throws what it failed with after what came before', async () => {
    const inbox = createInbox<number>({ pause: () => undefined, resume: () => undefined });
    inbox.push(1);
    inbox.fail(new Error('lost'));
    inbox.push(2);
    const seen: number[] = [];
    const read = async () => {
      for await (const value of inbox) seen.push(value);
    };
    await expect(read()).rejects.toThrow('lost');
    expect(seen).toEqual([1]);
  });
});
