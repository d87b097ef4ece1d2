import { InvalidArgumentError } from 'commander';
import type { Id } from '../kernel/ids.ts';
import { parseId } from '../kernel/ids.ts';

/** A tenant's id as it was typed. */
export function parseTenantId(text: string): Id<'tenant'> {
  const id = parseId('tenant', text);
  if (id === null) throw new InvalidArgumentError('A tenant id looks like ten_01J….');
  return id;
}
