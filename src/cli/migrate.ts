import { Command } from 'commander';
import { readConfig } from '../config/index.ts';
import { StartError } from '../kernel/errors.ts';
import { createLogger } from '../platform/telemetry/index.ts';
import type { Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import { printJson } from './output.ts';
import { shellWord } from './shell-word.ts';

interface MigrateFlags {
  readonly resetPasswords?: boolean;
  readonly json?: boolean;
}

/** `darkroom migrate`: makes roles and tables in an external Postgres and prints the settings to start with, for a shell. */
export function migrateCommand(host: Host): Command {
  return new Command('migrate')
    .description(
      "bring an external Postgres up to date, as the administrator's login in DATABASE_MIGRATE_URL",
    )
    .option('--reset-passwords', 'give every role a new password, also those that have one')
    .option('--json', 'print the settings as one line of JSON')
    .action((flags: MigrateFlags) =>
      interruptible(host, async () => {
        const { migrate } = await import('../platform/db/index.ts');
        const { config, secrets } = readConfig(host.environment);
        if (secrets.migrateUrl === null) {
          throw new StartError(
            "Set DATABASE_MIGRATE_URL to an administrator's login: postgres://admin:…@host/database.",
          );
        }
        const { applied, settings, keptPasswords } = await migrate({
          adminUrl: secrets.migrateUrl,
          resetPasswords: flags.resetPasswords ?? false,
          logger: createLogger(config.logLevel ?? 'warn'),
        });
        const say = (text: string) => host.stderr.write(`darkroom: ${text}\n`);
        say(applied.length === 0 ? 'the schema was up to date' : `applied ${applied.join(', ')}`);
        if (keptPasswords.length > 0) {
          say(`kept the passwords of ${keptPasswords.join(', ')}; --reset-passwords makes new ones`);
        }
        if (flags.json) printJson(host.stdout, Object.fromEntries(settings));
        else for (const [name, value] of settings) host.stdout.write(`${name}=${shellWord(value)}\n`);
        return 0;
      }),
    );
}
