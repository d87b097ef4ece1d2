import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SchedulerConfig, Tokenizer, VersionFinding } from '../diffusion/index.ts';
import { BundleError, openTokenizer, parseSchedulerConfig, validateVersion } from '../diffusion/index.ts';
import { StartError } from '../kernel/errors.ts';
import type { Manifest } from '../kernel/manifest.ts';
import type { Bundle } from '../platform/bundles/index.ts';
import type { Logger } from '../platform/telemetry/index.ts';

/**
 * The bundle with its scheduler configuration, both fit to be offered. Rejects with a `StartError` for a bundle that
 * contradicts itself or its family; what is merely unusual is logged.
 */
export async function withSchedulerConfig(
  bundle: Bundle,
  logger: Logger,
): Promise<Bundle & { readonly schedulerConfig: object }> {
  const json: unknown = JSON.parse(
    await readFile(join(bundle.directory, bundle.manifest.schedulerConfig), 'utf8'),
  );
  // Parsed for its errors: what is kept is the file itself, which is what the parser reads again later.
  const warnings = asStartError(bundle, () => checkVersion(bundle.manifest, parseSchedulerConfig(json)));
  for (const { code, message, fix } of warnings) {
    logger.warn({ bundle: bundle.directory, code }, `${message} ${fix}`);
  }
  return { ...bundle, schedulerConfig: Object(json) };
}

/** The warnings of a version. Throws a `BundleError` that has all its errors. */
function checkVersion(manifest: Manifest, config: SchedulerConfig): readonly VersionFinding[] {
  const findings = validateVersion(manifest, config);
  const errors = findings.filter(({ severity }) => severity === 'ERROR');
  if (errors.length === 0) return findings;
  throw new BundleError(errors.map(({ message, fix }) => `${message} ${fix}`).join(' '));
}

/** The tokenizers of the bundles, by the digest of their variant versions. */
export async function openTokenizers(
  bundles: readonly Bundle[],
): Promise<(digest: string) => Tokenizer | null> {
  const opened = await Promise.all(
    bundles.map(async ({ directory, manifest, digest }) => {
      const read = (name: string) => readFile(join(directory, manifest.tokenizer, name), 'utf8');
      const [vocab, merges, config] = await Promise.all([
        read('vocab.json'),
        read('merges.txt'),
        read('tokenizer_config.json'),
      ]);
      return [
        digest,
        openTokenizer({ vocab: JSON.parse(vocab), merges, config: JSON.parse(config) }),
      ] as const;
    }),
  );
  const byDigest = new Map(opened);
  return (digest) => byDigest.get(digest) ?? null;
}

/** A bundle that contradicts itself is for the operator to mend, before any job meets it. */
function asStartError<T>({ directory }: Pick<Bundle, 'directory'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new StartError(`The bundle ${directory} cannot be used: ${error.message}`, { cause: error });
  }
}
