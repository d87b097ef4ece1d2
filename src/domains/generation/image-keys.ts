import type { Id } from '../../kernel/ids.ts';
import { parseId } from '../../kernel/ids.ts';

/** Which attempt at a job an object belongs to. */
export interface Attempt {
  readonly tenantId: Id<'tenant'>;
  readonly jobId: Id<'job'>;
  readonly fence: number;
}

const FENCE = /^[1-9][0-9]{0,8}$/;

/**
 * Under which keys a picture and its thumbnail are stored. The fence keeps a zombie's objects apart from its
 * successor's; the id keeps keys from being guessed.
 */
export function toImageKeys(
  { tenantId, jobId, fence }: Attempt,
  { id, extension }: { readonly id: Id<'image'>; readonly extension: string },
): { readonly objectKey: string; readonly thumbnailKey: string } {
  const base = `${tenantId}/${jobId}/${fence}/${id}`;
  return { objectKey: `${base}.${extension}`, thumbnailKey: `${base}-thumbnail.webp` };
}

/** Whose object this is, or null for a key that no attempt makes. */
export function parseImageKey(key: string): Attempt | null {
  const [tenant = '', job = '', fence = '', name, ...more] = key.split('/');
  const [tenantId, jobId] = [parseId('tenant', tenant), parseId('job', job)];
  if (tenantId === null || jobId === null || !FENCE.test(fence)) return null;
  return name !== undefined && more.length === 0 ? { tenantId, jobId, fence: Number(fence) } : null;
}
