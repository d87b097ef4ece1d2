import type { Client, ClientOptions } from '../client/index.ts';
import { createClient } from '../client/index.ts';
import type { Host } from './host.ts';
import { CommandError } from './output.ts';

export interface ApiFlags {
  readonly api?: string;
  readonly key?: string;
}

/** A client of the API that the options or else the environment name. Throws a `CommandError` when they do not. */
export function connect({ environment }: Pick<Host, 'environment'>, flags: ApiFlags): Client {
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
