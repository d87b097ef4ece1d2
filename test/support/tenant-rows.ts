import type { Connection } from '../../src/platform/db/connect.ts';

/**
 * One row of `tenant` in every tenant-owned table, written by the superuser. `tenant` ends in 26 equal
 * characters in the tests that use it, so that the other ids can be made from it.
 */
export async function seedTenantRows(admin: Connection, tenant: string): Promise<void> {
  const body = tenant.slice('ten_'.length);
  const [plan, key, variant, version, job, image, usage] = [
    'pln',
    'key',
    'var',
    'ver',
    'job',
    'img',
    'usg',
  ].map((prefix) => `${prefix}_${body}`);
  await admin.query(`
    insert into plan (id, name, queued_jobs_max, megapixels_max, steps_max) values ('${plan}', '${plan}', 10, 1, 50);
    insert into tenant (id, plan_id, name, slug) values ('${tenant}', '${plan}', 'A tenant', '${body.toLowerCase()}');
    insert into api_key (tenant_id, id, name, hash, prefix, last4, environment, scopes)
      values ('${tenant}', '${key}', 'A key', sha256('${key}'), 'dk_live_', 'abcd', 'LIVE', '{JOBS_WRITE}');
    insert into variant (owner_id, id, name, family, visibility)
      values ('${tenant}', '${variant}', 'A variant', 'PICO', 'PRIVATE');
    insert into variant_version (owner_id, id, variant_id, number, digest, licence, manifest, scheduler_config, state)
      values ('${tenant}', '${version}', '${variant}', 1, 'digest', 'CC0', '{}', '{}', 'LIVE');
    insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, metadata,
        total_steps, credits, last_sequence)
      values ('${tenant}', '${job}', '${key}', '${tenant}', '${variant}', '${version}', 'pico:1', '{}', '{}', 8, 8, 1);
    insert into job_metadata (tenant_id, key, value, job_id, created_at)
      values ('${tenant}', 'order', '7', '${job}', now());
    insert into image (tenant_id, id, job_id, position, width, height, seed, format, bytes, sha256, pixel_sha256,
        object_key, thumbnail_key)
      values ('${tenant}', '${image}', '${job}', 0, 128, 128, 1, 'PNG', 100, 'a', 'b', 'c', 'd');
    insert into event (tenant_id, job_id, sequence, type) values ('${tenant}', '${job}', 1, 'QUEUED');
    insert into job_progress (tenant_id, job_id, sequence, type, step) values ('${tenant}', '${job}', 2, 'STEP', 1);
    insert into usage_entry (tenant_id, id, kind, credits, note) values ('${tenant}', '${usage}', 'GRANT', 100, 'first');
    insert into reservation (tenant_id, job_id, credits) values ('${tenant}', '${job}', 8);
    insert into idempotency_record (tenant_id, operation, key, request_hash, job_id)
      values ('${tenant}', 'jobSubmit', 'once', sha256('input'), '${job}');
  `);
}
