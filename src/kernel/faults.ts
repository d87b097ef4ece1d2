import { messageOf, systemCodeOf } from './errors.ts';

// What a connection fails with, for somebody who knows where it was to go and not what ECONNREFUSED is.
const WORDS: Readonly<Record<string, (place: string) => string>> = {
  ECONNREFUSED: (place) => `nothing listens at ${place}`,
  ECONNRESET: (place) => `${place} ended the connection`,
  EHOSTUNREACH: (place) => `there is no way to ${place}`,
  ENETUNREACH: (place) => `there is no way to ${place}`,
  ENOTFOUND: (place) => `no host of the name in ${place} is known`,
  EAI_AGAIN: (place) => `the name in ${place} cannot be looked up now`,
  ETIMEDOUT: (place) => `${place} does not answer`,
};

/** Why `place` (`host:port`) could not be reached, in words. What is no fault of a connection keeps its own. */
export function connectFault(error: unknown, place: string): string {
  const message = messageOf(error);
  // Who speaks for a connection, such as a gRPC client, has the code in its text alone.
  const code = systemCodeOf(error) ?? '';
  const known = Object.hasOwn(WORDS, code) ? code : Object.keys(WORDS).find((each) => message.includes(each));
  return WORDS[known ?? '']?.(place) ?? (message || code || 'for a reason unknown');
}
