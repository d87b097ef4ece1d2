import { Command } from 'commander';
import type { Host } from './host.ts';
import { interruptible, untilAborted } from './interruptible.ts';
import type { Platform } from './launch.ts';
import { printJson } from './output.ts';
import type { StartFlags } from './start-options.ts';
import { addSplitOptions, addStartOptions } from './start-options.ts';

// What Apollo's own server uses, so that the field's tools find it without being told.
const PORT = 4000;

/** `darkroom start`: the whole platform on this machine, until Ctrl-C. */
export function startCommand(host: Host): Command {
  const command = new Command('start').description(
    'run the platform on this machine until Ctrl-C, or a part of it beside others on the same data folder',
  );
  return addSplitOptions(addStartOptions(command, { port: PORT }))
    .option(
      '--json',
      'when ready, print one line of JSON: {api, ws, node, apiKey, tenantId, databaseUrl, dataDir}',
    )
    .action((flags: StartFlags & { readonly json?: boolean }) =>
      interruptible(host, async (signal, onInsist) => {
        // Loaded when it is needed: a client or a --help does not pay for the whole platform.
        const { launch } = await import('./launch.ts');
        const say = (text: string) => host.stderr.write(`darkroom: ${text}\n`);
        await using platform = await launch(host, { flags, logLevel: 'info', signal, say });
        onInsist(() => platform.abandon());
        if (flags.json) printJson(host.stdout, platform.readyLine);
        else printText(host, platform);
        const failure = await Promise.race([untilAborted(signal), platform.outdated]);
        say('stopping');
        if (failure) throw failure;
        return 0;
      }),
    );
}

function printText({ stdout }: Host, { readyLine: { api, apiKey, dataDir } }: Platform): void {
  if (api === null) {
    stdout.write(
      `Darkroom is ready, without an API of its own.\n\n  data       ${dataDir}\n\nCtrl-C stops it.\n`,
    );
    return;
  }
  stdout.write(`Darkroom is ready.

  API        ${api}
  first key  ${apiKey ?? 'none: `darkroom tenant create` and `darkroom key create` make one'}
  data       ${dataDir}

Draw something from another terminal:

  npm exec -- darkroom generate "a red apple, blue background" --api ${api} --key ${apiKey ?? 'KEY'}

Ctrl-C stops it.
`);
}
