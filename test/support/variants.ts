import type { TestApp, TestTenant } from './app.ts';

/** Gives a tenant a variant that is its own alone, a copy of the platform's first, and returns its id. */
export async function givePrivateVariant(app: TestApp, owner: TestTenant): Promise<string> {
  const body = owner.id.slice('ten_'.length);
  await app.sql(
    `insert into variant (owner_id, id, name, family, visibility) values ($1, $2, 'own', 'PICO', 'PRIVATE')`,
    [owner.id, `var_${body}`],
  );
  await app.sql(
    `insert into variant_version (owner_id, id, variant_id, number, digest, licence, manifest, scheduler_config, state)
      select $1, $2, $3, 1, digest, licence, manifest, scheduler_config, 'LIVE' from variant_version limit 1`,
    [owner.id, `ver_${body}`, `var_${body}`],
  );
  return `var_${body}`;
}
