import { Command } from 'commander';
import type { ApiFlags } from './connect.ts';
import { connect } from './connect.ts';
import type { Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import { fail } from './output.ts';
import type { PictureFlags } from './picture-options.ts';
import { addPictureOptions, toJobInput } from './picture-options.ts';
import { runGenerate } from './run-generate.ts';
import { runQuote } from './run-quote.ts';

interface GenerateFlags extends PictureFlags, ApiFlags {
  readonly quote?: boolean;
}

/** `darkroom generate "a red apple"`: an ordinary client of the API. */
export function generateCommand(host: Host): Command {
  const command = new Command('generate').description('draw a picture from a prompt, through the API');
  return addPictureOptions(command)
    .option('--quote', 'say what it would cost and when it would be drawn, and draw nothing')
    .option('--api <url>', "the API's endpoint (default: DARKROOM_API)")
    .option('--key <key>', 'an API key (default: DARKROOM_API_KEY)')
    .action((prompt: string, flags: GenerateFlags) =>
      interruptible(host, (signal) => generate(host, { prompt, flags, signal })),
    );
}

interface Call {
  readonly prompt: string;
  readonly flags: GenerateFlags;
  readonly signal: AbortSignal;
}

async function generate(host: Host, { prompt, flags, signal }: Call): Promise<number> {
  try {
    const client = connect(host, flags);
    const input = await toJobInput(prompt, flags, client);
    const { out = null, json = false } = flags;
    if (flags.quote) await runQuote({ input, json }, { ...host, client });
    else await runGenerate({ input, out, json }, { ...host, client, signal });
    return 0;
  } catch (error) {
    // Here and not by the caller: what became of the job is worth a line, also after Ctrl-C.
    return fail(error, host.stderr);
  }
}
