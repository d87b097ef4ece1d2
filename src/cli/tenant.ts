import { Command, InvalidArgumentError } from 'commander';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openInstallation } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { printJson } from './output.ts';

interface TenantFlags extends InstallationFlags {
  readonly slug?: string;
  readonly credits: number;
  readonly json?: boolean;
}

const CREDITS = 100_000;
const CREDITS_MAX = 1_000_000_000;

/** `darkroom tenant create NAME`. */
export function tenantCommand(host: Host): Command {
  const create = addInstallationOptions(new Command('create'))
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
  return new Command('tenant').description('manage tenants').addCommand(create);
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
