import { parseSchedulerConfig } from '../../diffusion/index.ts';
import type { Id } from '../../kernel/ids.ts';
import { PLATFORM_ID } from '../../kernel/ids.ts';
import { parseManifest } from '../../kernel/manifest.ts';
import type { Db, Tx } from '../../platform/db/index.ts';
import type { Variant, VariantVersion, Visibility } from './variant.ts';

interface VariantRow {
  readonly id: Id<'variant'>;
  readonly owner_id: Id<'tenant'>;
  readonly name: string;
  readonly family: string;
  readonly visibility: Visibility;
  readonly created_at: Date;
  readonly version_id: Id<'version'>;
  readonly number: number;
  readonly digest: string;
  readonly manifest: unknown;
  readonly scheduler_config: unknown;
}

/**
 * Every variant with a live version that `tenantId` may use: its own and the platform's public
 * ones, the platform's first and each owner's oldest first.
 */
export async function listVariants(tx: Tx, tenantId: Id<'tenant'>): Promise<readonly Variant[]> {
  const rows = await tx.$queryRaw<VariantRow[]>`
    select v.id, v.owner_id, v.name, v.family, v.visibility, v.created_at,
      w.id as version_id, w.number, w.digest, w.manifest, w.scheduler_config
    from variant v
    join variant_version w on w.owner_id = v.owner_id and w.variant_id = v.id and w.state = 'LIVE'
    where v.owner_id = ${tenantId} or (v.owner_id = ${PLATFORM_ID} and v.visibility = 'PUBLIC')
    order by v.owner_id, v.id`;
  return rows.map(toVariant);
}

/** A version by its id, whoever owns it: for the dispatcher, which serves every tenant. */
export async function findVersion(db: Db | Tx, id: Id<'version'>): Promise<VariantVersion | null> {
  const row = await db.variantVersion.findFirst({ where: { id } });
  return (
    row && {
      id,
      number: row.number,
      digest: row.digest,
      manifest: parseManifest(row.manifest),
      schedulerConfig: parseSchedulerConfig(row.schedulerConfig),
    }
  );
}

export interface PlatformVersion {
  readonly variantId: Id<'variant'>;
  readonly number: number;
  readonly digest: string;
}

/** The platform's versions of the variant named `name`, newest first. */
export async function listPlatformVersions(tx: Tx, name: string): Promise<readonly PlatformVersion[]> {
  const variant = await tx.variant.findUnique({ where: { ownerId_name: { ownerId: PLATFORM_ID, name } } });
  if (!variant) return [];
  const rows = await tx.variantVersion.findMany({
    where: { ownerId: PLATFORM_ID, variantId: variant.id },
    orderBy: { number: 'desc' },
  });
  return rows.map(({ number, digest }) => ({ variantId: variant.id as Id<'variant'>, number, digest }));
}

export interface NewPlatformVersion {
  readonly variantId: Id<'variant'>;
  readonly versionId: Id<'version'>;
  readonly name: string;
  readonly family: string;
  readonly licence: string;
  readonly number: number;
  readonly digest: string;
  readonly manifest: object;
  readonly schedulerConfig: object;
}

/** Makes a version of a platform variant the live one; the one before it retires in the same breath. */
export async function insertLivePlatformVersion(tx: Tx, version: NewPlatformVersion): Promise<void> {
  const { variantId, name, family } = version;
  const owner = { ownerId: PLATFORM_ID };
  await tx.variant.createMany({
    data: [{ ...owner, id: variantId, name, family, visibility: 'PUBLIC' }],
    skipDuplicates: true,
  });
  await tx.variantVersion.updateMany({
    where: { ...owner, variantId, state: 'LIVE' },
    data: { state: 'RETIRED' },
  });
  await tx.variantVersion.create({
    data: {
      ...owner,
      id: version.versionId,
      variantId,
      number: version.number,
      digest: version.digest,
      licence: version.licence,
      manifest: version.manifest,
      schedulerConfig: version.schedulerConfig,
      state: 'LIVE',
    },
  });
}

function toVariant(row: VariantRow): Variant {
  return {
    id: row.id,
    ownerId: row.owner_id,
    name: row.name,
    family: row.family,
    visibility: row.visibility,
    createdAt: row.created_at,
    live: {
      id: row.version_id,
      number: row.number,
      digest: row.digest,
      manifest: parseManifest(row.manifest),
      schedulerConfig: parseSchedulerConfig(row.scheduler_config),
    },
  };
}
