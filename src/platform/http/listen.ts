import type { FastifyInstance } from 'fastify';
import { StartError, systemCodeOf } from '../../kernel/errors.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

const HELP: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'is in use. Stop the program that listens there, or choose another port with --port (0 picks a free one).',
  EACCES: 'may not be opened by this user. Choose a port above 1023 with --port (0 picks a free one).',
  EADDRNOTAVAIL: 'is not an address of this machine. Choose one that is, such as 127.0.0.1.',
};

/** Starts listening and returns the port. Rejects with a `StartError` that says what to do. */
export async function listen(http: FastifyInstance, { host, port }: ListenOptions): Promise<number> {
  try {
    await http.listen({ host, port });
  } catch (error) {
    const help = HELP[systemCodeOf(error) ?? ''];
    throw help ? new StartError(`Port ${port} on ${host} ${help}`, { cause: error }) : error;
  }
  const address = http.server.address();
  return typeof address === 'object' && address ? address.port : port;
}
