import type { z } from 'zod';
import { once } from '../../kernel/once.ts';

/**
 * Reads what is stored when it is asked for, once: what is damaged in a row stands in the way of nothing else in
 * it. Throws for such a value the same `ZodError` each time.
 */
export function readerOf<T>(schema: z.ZodType<T>, json: unknown): () => T {
  const read = once(() => schema.safeParse(json));
  return () => {
    const { data, error, success } = read();
    if (!success) throw error;
    return data;
  };
}
