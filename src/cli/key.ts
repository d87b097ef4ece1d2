import { Command, InvalidArgumentError, Option } from 'commander';
import type { KeyEnvironment, Permission } from '../domains/tenancy/index.ts';
import { KEY_ENVIRONMENTS, PERMISSIONS, TENANT_PERMISSIONS } from '../domains/tenancy/index.ts';
import type { Id } from '../kernel/ids.ts';
import { parseId } from '../kernel/ids.ts';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openInstallation } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { printJson } from './output.ts';

interface KeyFlags extends InstallationFlags {
  readonly tenant: Id<'tenant'>;
  readonly name: string;
  readonly environment: KeyEnvironment;
  readonly scopes: readonly Permission[];
  readonly json?: boolean;
}

/** `darkroom key create --tenant ID`. */
export function keyCommand(host: Host): Command {
  const create = addInstallationOptions(new Command('create'))
    .description('create an API key; its text is shown this once')
    .requiredOption('--tenant <id>', 'whose key it is', parseTenantId)
    .option('--name <text>', 'what the key is for', 'key')
    .addOption(
      new Option('--environment <name>', 'jobs of a TEST key cost nothing')
        .choices(KEY_ENVIRONMENTS)
        .default('LIVE'),
    )
    .option(
      '--scopes <list>',
      `comma-separated, of ${PERMISSIONS.join(', ')}; the last one is for operators`,
      parseScopes,
      TENANT_PERMISSIONS,
    )
    .option('--json', 'print one line of JSON: {apiKey, keyId, tenantId, environment, scopes}')
    .action((flags: KeyFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const { tenant: tenantId, name, environment, scopes } = flags;
        const { key, text } = await operator.onboarding.issueKey(tenantId, {
          name,
          environment,
          permissions: scopes,
        });
        if (flags.json)
          printJson(host.stdout, { apiKey: text, keyId: key.id, tenantId, environment, scopes });
        else host.stdout.write(`${text}\n`);
        return 0;
      }),
    );
  return new Command('key').description('manage API keys').addCommand(create);
}

function parseTenantId(text: string): Id<'tenant'> {
  const id = parseId('tenant', text);
  if (id === null) throw new InvalidArgumentError('A tenant id looks like ten_01J….');
  return id;
}

function parseScopes(text: string): readonly Permission[] {
  const scopes = text.split(',').map((scope) => scope.trim().toUpperCase());
  const known = PERMISSIONS.filter((permission) => scopes.includes(permission));
  if (known.length !== scopes.length) throw new InvalidArgumentError(`Scopes are ${PERMISSIONS.join(', ')}.`);
  return known;
}
