import { expect, it } from 'vitest';
import { isLoopback } from './index.ts';

it.each([
  'grpc://127.0.0.1:8001',
  '127.9.0.1:1',
  'localhost:80',
  '[::1]:8001',
  'grpc://[::1]:1',
  '127.0.0.1',
  '::1',
])('takes %s for the loopback', (address) => expect(isLoopback(address)).toBe(true));

it.each([
  'grpc://10.0.0.1:8001',
  '127.evil.example:1',
  'localhost.example:80',
  '[::2]:8001',
  '0.0.0.0',
  '::',
])('does not take %s for the loopback', (address) => expect(isLoopback(address)).toBe(false));
