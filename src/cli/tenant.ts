import { Command, InvalidArgumentError } from 'commander';
import type { Id } from '../kernel/ids.ts';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openInstallation } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { printJson } from './output.ts';
import { parseTenantId } from './tenant-id.ts';

interface UpdateFlags extends InstallationFlags {
  readonly retentionDays: number | 'forever';
  readonly json?: boolean;
}

interface TenantFlags extends InstallationFlags {
  readonly slug?: string;
  readonly credits: number;
  readonly json?: boolean;
}

const CREDITS = 100_000;
const CREDITS_MAX = 1_000_000_000;

/** `darkroom tenant`: what an operator does with tenants. */
export function tenantCommand(host: Host): Command {
  return new Command('tenant')
    .description('manage tenants')
    .addCommand(tenantCreateCommand(host))
    .addCommand(tenantUpdateCommand(host));
}

/** `darkroom tenant create NAME`. */
function tenantCreateCommand(host: Host): Command {
  return addInstallationOptions(new Command('create'))
    .description('create a tenant on the standard plan')
    .argument('<name>', 'what people call it')
    .option(
      '--slug <slug>',
      'a short unique name of lower-case letters, digits and dashes (default: from the name)',
    )
    .option('--credits <number>', 'what its ledger opens with', parseCredits, CREDITS)
    .option('--json', 'print one line of JSON: {tenantId, name, slug, credits}')
    .action((name: string, flags: TenantFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const { credits } = flags;
        const { id: tenantId, slug } = await operator.onboarding.createTenant({
          name,
          slug: flags.slug ?? toSlug(name),
          credits,
        });
        if (flags.json) printJson(host.stdout, { tenantId, name, slug, credits });
        else
          host.stdout.write(
            `${tenantId}  ${slug}\n\nGive it a key: darkroom key create --tenant ${tenantId}\n`,
          );
        return 0;
      }),
    );
}

/** `darkroom tenant update ID --retention-days DAYS`. */
function tenantUpdateCommand(host: Host): Command {
  return addInstallationOptions(new Command('update'))
    .description("change a tenant's settings")
    .argument('<id>', 'which tenant', parseTenantId)
    .requiredOption(
      '--retention-days <days>',
      'for how long its pictures are kept, or "forever"; what is older is deleted within minutes',
      parseRetention,
    )
    .option('--json', 'print one line of JSON: {tenantId, retentionDays}')
    .action((tenantId: Id<'tenant'>, flags: UpdateFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const retentionDays = flags.retentionDays === 'forever' ? null : flags.retentionDays;
        await operator.onboarding.setRetention(tenantId, retentionDays);
        if (flags.json) printJson(host.stdout, { tenantId, retentionDays });
        else host.stdout.write(`${tenantId} keeps its pictures ${retentionOf(retentionDays)}.\n`);
        return 0;
      }),
    );
}

function retentionOf(days: number | null): string {
  return days === null ? 'for ever' : `for ${days} ${days === 1 ? 'day' : 'days'}`;
}

/** What lies beyond the limits is refused by the platform, which knows them. */
function parseRetention(text: string): number | 'forever' {
  if (text === 'forever') return text;
  const days = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(days)) {
    throw new InvalidArgumentError('It is a whole number of days, or "forever".');
  }
  return days;
}

function toSlug(name: string): string {
  const letters = name.normalize('NFKD').toLowerCase();
  return letters
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
}

function parseCredits(text: string): number {
  const credits = Number(text);
  if (!Number.isInteger(credits) || credits < 0 || credits > CREDITS_MAX) {
    throw new InvalidArgumentError(`Credits are a whole number from 0 to ${CREDITS_MAX}.`);
  }
  return credits;
}
