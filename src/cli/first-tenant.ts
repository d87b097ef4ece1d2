import type { Onboarding } from '../domains/tenancy/index.ts';
import { createKeyText, isKeyText } from '../domains/tenancy/index.ts';
import { StartError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

const NAME = 'First tenant';
const SLUG = 'first';
const KEY_FILE = 'api-key';
const OPENING_CREDITS = 1_000_000;

interface KeyFolder {
  at(name: string): string;
  readOrCreate(name: string, create: () => string): Promise<string>;
}

/** The tenant that every installation begins with, and its full-scope key, kept in the data folder. */
export async function firstTenant(
  onboarding: Onboarding,
  folder: KeyFolder,
  random: Random,
): Promise<{ readonly tenantId: string; readonly apiKey: string }> {
  const tenant =
    (await onboarding.findBySlug(SLUG)) ??
    (await onboarding.createTenant({ name: NAME, slug: SLUG, credits: OPENING_CREDITS }));
  const text = await folder.readOrCreate(KEY_FILE, () => createKeyText('LIVE', random));
  if (!isKeyText(text)) {
    throw new StartError(
      `${folder.at(KEY_FILE)} holds no API key. Remove it, and the next start makes a new one.`,
    );
  }
  await onboarding.issueKey(tenant.id, { name: 'first key', environment: 'LIVE', text });
  return { tenantId: tenant.id, apiKey: text };
}
