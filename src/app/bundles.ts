import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tokenizer } from '../diffusion/index.ts';
import { BundleError, openTokenizer, parseSchedulerConfig } from '../diffusion/index.ts';
import { StartError } from '../kernel/errors.ts';
import type { Bundle } from '../platform/bundles/index.ts';

export async function withSchedulerConfig(
  bundle: Bundle,
): Promise<Bundle & { readonly schedulerConfig: object }> {
  const json: unknown = JSON.parse(
    await readFile(join(bundle.directory, bundle.manifest.schedulerConfig), 'utf8'),
  );
  // Parsed for its errors: what is kept is the file itself, which is what the parser reads again later.
  asStartError(bundle, () => parseSchedulerConfig(json));
  return { ...bundle, schedulerConfig: Object(json) };
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
