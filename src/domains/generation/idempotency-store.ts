import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { KeyEnvironment } from '../tenancy/index.ts';
import type { KnownRequest } from './idempotency.ts';

export interface IdempotencyKey {
  readonly tenantId: Id<'tenant'>;
  readonly environment: KeyEnvironment;
  readonly operation: string;
  readonly key: string;
}

/** The 24 hours for which a key is remembered. */
const IDEMPOTENCY_HOURS = 24;

/**
 * Records the key for `request`, or returns the one that it stands for already. A twin that is being
 * submitted at this moment is waited for.
 */
export async function claimIdempotencyKey(
  tx: Tx,
  { tenantId, environment, operation, key }: IdempotencyKey,
  request: KnownRequest,
): Promise<KnownRequest | null> {
  await tx.$executeRaw`
    delete from idempotency_record
    where tenant_id = ${tenantId} and environment = ${environment}::key_environment
      and operation = ${operation} and key = ${key}
      and created_at < clock_timestamp() - make_interval(hours => ${IDEMPOTENCY_HOURS}::int)`;
  const inserted = await tx.$executeRaw`
    insert into idempotency_record
      (tenant_id, environment, operation, key, request_hash, meaning_hash, job_id)
    values (${tenantId}, ${environment}::key_environment, ${operation}, ${key}, ${request.hash},
      ${request.meaning}, ${request.jobId})
    on conflict do nothing`;
  if (inserted === 1) return null;
  const row = await tx.idempotencyRecord.findUniqueOrThrow({
    where: { tenantId_environment_operation_key: { tenantId, environment, operation, key } },
  });
  return { jobId: row.jobId as Id<'job'>, hash: row.requestHash, meaning: row.meaningHash };
}
