import { z } from 'zod';
import type { MetadataEntry } from './job.ts';
import { readerOf } from './stored-json.ts';

const metadata = z.array(z.object({ key: z.string(), value: z.string() }));

/** Reads a job's metadata when they are asked for; throws each time when they are none. */
export function metadataReader(json: unknown): () => readonly MetadataEntry[] {
  return readerOf(metadata, json);
}
