import { Command } from 'commander';
import type { Client, ClientOptions } from '../client/index.ts';
import { createClient } from '../client/index.ts';
import type { Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import { CommandError, fail } from './output.ts';
import type { PictureFlags } from './picture-options.ts';
import { addPictureOptions, toGenerateOptions } from './picture-options.ts';
import { runGenerate } from './run-generate.ts';

interface GenerateFlags extends PictureFlags {
  readonly api?: string;
  readonly key?: string;
}

/** `darkroom generate "a red apple"`: an ordinary client of the API. */
export function generateCommand(host: Host): Command {
  const command = new Command('generate').description('draw a picture from a prompt, through the API');
  return addPictureOptions(command)
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
    await runGenerate(toGenerateOptions(prompt, flags), { ...host, client, signal });
    return 0;
  } catch (error) {
    // Here and not by the caller: what became of the job is worth a line, also after Ctrl-C.
    return fail(error, host.stderr);
  }
}

function connect({ environment }: Host, flags: GenerateFlags): Client {
  const api = flags.api ?? environment['DARKROOM_API'];
  const apiKey = flags.key ?? environment['DARKROOM_API_KEY'];
  if (!api) throw new CommandError('Which API? Give its endpoint with --api or DARKROOM_API.');
  if (!apiKey) throw new CommandError('With which key? Give one with --key or DARKROOM_API_KEY.');
  return openClient({ api, apiKey });
}

function openClient(options: ClientOptions): Client {
  try {
    return createClient(options);
  } catch (error) {
    throw error instanceof TypeError ? new CommandError(error.message, { cause: error }) : error;
  }
}
