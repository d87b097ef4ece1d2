import { isIPv4 } from 'node:net';

/** Whether a server's `grpc://host:port`, `host:port` or host is this machine's loopback by its look. */
export function isLoopback(address: string): boolean {
  const authority = address.replace(/^grpc:\/\//, '');
  const host = authority.replace(/(?<=^[^:]+|\]):\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
