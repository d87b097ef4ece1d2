import type { ListedKey } from '../domains/tenancy/index.ts';
import { alignColumns } from './columns.ts';
import { withoutControls } from './output.ts';

const HEADINGS = [
  'KEY',
  'TENANT',
  'BEGINS AND ENDS',
  'FOR',
  'STATE',
  'CREATED',
  'LAST JOB',
  'SCOPES',
  'NAME',
];

/** The keys for a person, one a line below a line of headings; what their state is at `now`. */
export function keyTable(keys: readonly ListedKey[], now: Date): string {
  return alignColumns([HEADINGS, ...keys.map((key) => cellsOf(key, now))]);
}

function cellsOf(key: ListedKey, now: Date): readonly string[] {
  return [
    key.id,
    key.tenantId,
    `${key.prefix}…${key.last4}`,
    key.environment,
    stateOf(key, now),
    dayOf(key.createdAt),
    key.lastJobAt ? dayOf(key.lastJobAt) : '-',
    key.permissions.join(','),
    withoutControls(key.name),
  ];
}

function stateOf({ revokedAt, expiresAt }: ListedKey, now: Date): string {
  if (revokedAt) return `revoked ${dayOf(revokedAt)}`;
  return expiresAt && expiresAt <= now ? `expired ${dayOf(expiresAt)}` : 'in force';
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}
