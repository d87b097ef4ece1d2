import type { NewId } from '../../kernel/ids.ts';
import { StartError } from '../../kernel/errors.ts';
import type { Bundle } from '../../platform/bundles/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { inTransaction, lockSeeding } from '../../platform/db/index.ts';
import { insertLivePlatformVersion, listPlatformVersions } from './store.ts';

export interface SeedDeps {
  /** A pool of `darkroom_system`. */
  readonly systemDb: Db;
  readonly newId: NewId;
}

/**
 * Makes each bundle the live version of a public platform variant of its name; one that already is
 * stays untouched. Rejects with a `StartError` when a bundle's files changed without a new version
 * number, because a version that changes would make recorded jobs lie.
 */
export async function seedPlatformVariants(
  { systemDb, newId }: SeedDeps,
  bundles: readonly (Bundle & { readonly schedulerConfig: object })[],
): Promise<void> {
  for (const { manifest, digest, directory, schedulerConfig } of bundles) {
    await inTransaction(systemDb, async (tx) => {
      await lockSeeding(tx);
      const versions = await listPlatformVersions(tx, manifest.name);
      const same = versions.find((version) => version.number === manifest.version);
      if (same && same.digest !== digest) {
        throw new StartError(
          `The bundle ${directory} is not the version ${manifest.version} of ${manifest.name} that this database knows. Raise "version" in its manifest.json.`,
        );
      }
      if (same) return;
      await insertLivePlatformVersion(tx, {
        variantId: versions[0]?.variantId ?? newId('variant'),
        versionId: newId('version'),
        name: manifest.name,
        family: manifest.family,
        licence: manifest.licence,
        number: manifest.version,
        digest,
        manifest,
        schedulerConfig,
      });
    });
  }
}
