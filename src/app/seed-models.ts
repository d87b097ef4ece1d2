import { seedPlatformVariants } from '../domains/catalog/index.ts';
import type { NewId } from '../kernel/ids.ts';
import type { Bundle } from '../platform/bundles/index.ts';
import { openDb } from '../platform/db/index.ts';
import type { Logger } from '../platform/telemetry/index.ts';
import { withSchedulerConfig } from './bundles.ts';

export interface Seeds {
  readonly bundles: readonly Bundle[];
  readonly newId: NewId;
  /** Told what is unusual about a bundle. */
  readonly logger: Logger;
}

/** Makes the bundles known as models of the platform, on one connection of `darkroom_system`, closed at the end. */
export async function seedModels(systemUrl: string, { bundles, newId, logger }: Seeds): Promise<void> {
  const models = await Promise.all(bundles.map((bundle) => withSchedulerConfig(bundle, logger)));
  const systemDb = openDb({ url: systemUrl, poolMax: 1, applicationName: 'darkroom start' });
  try {
    await seedPlatformVariants({ systemDb, newId }, models);
  } finally {
    await systemDb.$disconnect();
  }
}
