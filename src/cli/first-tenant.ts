import type { IssuedKey, Onboarding, Tenant } from '../domains/tenancy/index.ts';
import { createKeyText, isKeyText, PERMISSIONS } from '../domains/tenancy/index.ts';
import { DomainError, StartError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

const NAME = 'First tenant';
const SLUG = 'first';
const KEY_FILE = 'api-key';
const OPENING_CREDITS = 1_000_000;

interface KeyFolder {
  at(name: string): string;
  readOrCreate(name: string, create: () => string): Promise<string>;
}

/** The tenant that every installation begins with, made by whichever process comes first. */
export async function firstTenant(onboarding: Onboarding): Promise<Tenant> {
  const found = await onboarding.findBySlug(SLUG);
  if (found) return found;
  try {
    return await onboarding.createTenant({ name: NAME, slug: SLUG, credits: OPENING_CREDITS });
  } catch (error) {
    // Another process that starts at the same moment was quicker.
    const made = error instanceof DomainError && error.code === 'CONFLICT';
    const theirs = made ? await onboarding.findBySlug(SLUG) : null;
    if (!theirs) throw error;
    return theirs;
  }
}

/** The first tenant's full-scope key, kept in the data folder. */
export async function firstKey(
  onboarding: Onboarding,
  {
    tenant,
    folder,
    random,
  }: { readonly tenant: Tenant; readonly folder: KeyFolder; readonly random: Random },
): Promise<IssuedKey> {
  const text = await folder.readOrCreate(KEY_FILE, () => createKeyText('LIVE', random));
  if (!isKeyText(text)) {
    throw new StartError(
      `${folder.at(KEY_FILE)} holds no API key. Remove it, and the next start makes a new one.`,
    );
  }
  return onboarding.issueKey(tenant.id, {
    name: 'first key',
    environment: 'LIVE',
    permissions: PERMISSIONS,
    text,
  });
}
