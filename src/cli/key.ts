import { Command, InvalidArgumentError, Option } from 'commander';
import type { KeyEnvironment, ListedKey, Permission } from '../domains/tenancy/index.ts';
import { KEY_ENVIRONMENTS, PERMISSIONS, TENANT_PERMISSIONS } from '../domains/tenancy/index.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Id } from '../kernel/ids.ts';
import { parseId } from '../kernel/ids.ts';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openInstallation } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { keyTable } from './key-table.ts';
import { printJson } from './output.ts';
import { parseTenantId } from './tenant-id.ts';

interface ListFlags extends InstallationFlags {
  readonly tenant?: Id<'tenant'>;
  readonly json?: boolean;
}

interface KeyFlags extends InstallationFlags {
  readonly tenant: Id<'tenant'>;
  readonly name: string;
  readonly environment: KeyEnvironment;
  readonly scopes: readonly Permission[];
  readonly json?: boolean;
}

/** `darkroom key`: what an operator does with API keys. */
export function keyCommand(host: Host): Command {
  return new Command('key')
    .description('manage API keys')
    .addCommand(keyCreateCommand(host))
    .addCommand(keyListCommand(host))
    .addCommand(keyRevokeCommand(host));
}

/** `darkroom key create --tenant ID`. */
function keyCreateCommand(host: Host): Command {
  return addInstallationOptions(new Command('create'))
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
}

/** `darkroom key list`. */
function keyListCommand(host: Host): Command {
  return addInstallationOptions(new Command('list'))
    .description('show the API keys, those that are revoked too, and never their text')
    .option('--tenant <id>', 'those of one tenant alone', parseTenantId)
    .option(
      '--json',
      'print one line of JSON: an array of {keyId, tenantId, name, key, environment, scopes, createdAt, expiresAt, revokedAt, lastJobAt}',
    )
    .action((flags: ListFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const keys = await operator.onboarding.listKeys(flags.tenant ?? null);
        if (flags.json) printJson(host.stdout, keys.map(toListed));
        else host.stdout.write(keyTable(keys, new Date(systemClock.nowMs())));
        return 0;
      }),
    );
}

/** `darkroom key revoke ID`. */
function keyRevokeCommand(host: Host): Command {
  return addInstallationOptions(new Command('revoke'))
    .description('end an API key at once and for good; its open sockets are closed within five seconds')
    .argument('<id>', 'the id that `key list` shows', parseKeyId)
    .option('--json', 'print one line of JSON: {keyId, tenantId, revokedAt, wasRevoked}')
    .action((keyId: Id<'key'>, flags: InstallationFlags & { readonly json?: boolean }) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const { tenantId, revokedAt, wasRevoked } = await operator.onboarding.revokeKey(keyId);
        if (flags.json) printJson(host.stdout, { keyId, tenantId, revokedAt, wasRevoked });
        else if (wasRevoked)
          host.stdout.write(`${keyId} was revoked already, at ${revokedAt.toISOString()}.\n`);
        else host.stdout.write(`${keyId} is revoked.\n`);
        return 0;
      }),
    );
}

function toListed({ id: keyId, permissions: scopes, prefix, last4, ...key }: ListedKey) {
  return { keyId, ...key, key: `${prefix}…${last4}`, scopes };
}

function parseKeyId(text: string): Id<'key'> {
  const id = parseId('key', text);
  if (id === null) throw new InvalidArgumentError('A key id looks like key_01J…, as `key list` shows it.');
  return id;
}

function parseScopes(text: string): readonly Permission[] {
  const scopes = text.split(',').map((scope) => scope.trim().toUpperCase());
  const known = PERMISSIONS.filter((permission) => scopes.includes(permission));
  if (known.length !== scopes.length) throw new InvalidArgumentError(`Scopes are ${PERMISSIONS.join(', ')}.`);
  return known;
}
