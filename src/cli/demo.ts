import { Command } from 'commander';
import { createClient } from '../client/index.ts';
import type { Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import type { PictureFlags } from './picture-options.ts';
import { addPictureOptions, toJobInput } from './picture-options.ts';
import { runGenerate } from './run-generate.ts';
import type { StartFlags } from './start-options.ts';
import { addStartOptions } from './start-options.ts';

const PROMPT = 'a red apple, blue background';

/** `darkroom demo`: `start` and `generate` in one, on free ports, and everything stopped at the end. */
export function demoCommand(host: Host): Command {
  const command = new Command('demo').description(
    'start the platform, draw one picture through its API, and stop',
  );
  return addStartOptions(addPictureOptions(command, { defaultPrompt: PROMPT }), { port: 0 }).action(
    (prompt: string, flags: PictureFlags & StartFlags) =>
      interruptible(host, async (signal) => {
        const { launch } = await import('./launch.ts');
        const say = (text: string) => host.stderr.write(`darkroom: ${text}\n`);
        await using platform = await launch(host, { flags, logLevel: 'warn', signal, say });
        const { api, ws, apiKey } = platform.readyLine;
        if (api === null || ws === null || apiKey === null) throw new Error('There is no API to draw with.');
        const client = createClient({ api, ws, apiKey });
        const input = await toJobInput(prompt, flags, client);
        const { out = null, json = false } = flags;
        await runGenerate({ input, out, json }, { ...host, client, signal });
        return 0;
      }),
  );
}
