import type { Manifest } from '../../kernel/manifest.ts';
import type { SchedulerConfig } from '../schedulers/config.ts';
import { resolveSettings } from '../settings.ts';
import { FAMILY_RULES, familyRule } from './family-rules.ts';
import type { Finding, Problem } from './finding.ts';
import { validate } from './validate.ts';

/** A finding in a version's own files: one that its jobs would have, or one that is for its operator alone. */
export type VersionFinding = Finding | Finding<'MODEL_RECORD_UNUSUAL'>;

/**
 * Everything that is wrong with a version before any job meets it: its record against its family, and its defaults
 * as `validate` judges a job that leaves everything open. With an ERROR it must not be offered.
 * Throws a `BundleError` when the defaults name a scheduler or a sigma schedule that does not exist.
 */
export function validateVersion(manifest: Manifest, config: SchedulerConfig): readonly VersionFinding[] {
  const defaults = resolveSettings(manifest, { prompt: 'anything', seed: 0n });
  const unusual = UNUSUAL.flatMap((check) => check(manifest, config) ?? []);
  return [
    ...validate(manifest, config, defaults),
    ...unusual.map(
      (problem) =>
        ({
          code: 'MODEL_RECORD_UNUSUAL',
          severity: 'WARNING',
          field: ['variantId'],
          ...problem,
        }) as const,
    ),
  ];
}

type Check = (manifest: Manifest, config: SchedulerConfig) => Problem | null;

const UNUSUAL: readonly Check[] = [checkFamily, checkNativeSize, checkTerminalSnr];

function checkFamily({ family }: Manifest): Problem | null {
  if (Object.hasOwn(FAMILY_RULES, family)) return null;
  return {
    message: `No family is called ${family}: its record is not compared with anything.`,
    fix: `Use one of ${Object.keys(FAMILY_RULES).join(', ')}, if it is one of them.`,
  };
}

function checkNativeSize({ family, nativeSize }: Manifest): Problem | null {
  const { nativeSizes } = familyRule(family);
  if (nativeSizes === null || nativeSizes.includes(nativeSize)) return null;
  return {
    message: `manifest.json says nativeSize ${nativeSize}; models of the family ${family} have ${nativeSizes.join(' or ')}.`,
    fix: 'Make it the size that the model was trained at.',
  };
}

function checkTerminalSnr(
  _: Manifest,
  { zeroTerminalSnr, timestepSpacing }: SchedulerConfig,
): Problem | null {
  if (!zeroTerminalSnr || timestepSpacing === 'trailing') return null;
  return {
    message:
      'scheduler_config.json says rescale_betas_zero_snr, and its spacing leaves out the last timestep.',
    fix: 'Make timestep_spacing trailing.',
  };
}
