import { expect, it } from 'vitest';
import { connectFault } from './faults.ts';

const failed = (code: string, message = '') => Object.assign(new Error(message), { code });

it.each([
  [
    'a port where nobody is',
    failed('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:9'),
    'nothing listens at db:9',
  ],
  [
    'a port with several addresses, whose error has no text',
    failed('ECONNREFUSED'),
    'nothing listens at db:9',
  ],
  [
    'a name that nobody knows',
    failed('ENOTFOUND', 'getaddrinfo ENOTFOUND db'),
    'no host of the name in db:9 is known',
  ],
  [
    'what a gRPC client says',
    failed('UNAVAILABLE', 'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:9'),
    'nothing listens at db:9',
  ],
  [
    'any other fault, in its own words',
    new Error('password authentication failed'),
    'password authentication failed',
  ],
])('says of %s what it is', (_, error, words) => {
  expect(connectFault(error, 'db:9')).toBe(words);
});
