import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { KserveError } from './errors.ts';

describe('KserveError', () => {
  it.each([
    [
      status.UNAVAILABLE,
      'No connection established. Last error: connect ECONNREFUSED',
      'NOT_CONNECTED',
      true,
    ],
    [status.UNAVAILABLE, 'Connection dropped', null, true],
    [status.UNAVAILABLE, 'Server exiting', 'DRAINING', true],
    [
      status.UNAVAILABLE,
      '[request id: 7] Server is stopping, scheduler for model has stopped',
      'DRAINING',
      true,
    ],
    [status.UNAVAILABLE, 'GRPC server is shutting down and has stopped accepting', 'DRAINING', true],
    [status.UNAVAILABLE, 'Server not ready', 'DRAINING', true],
    [status.UNAVAILABLE, '[request id: 7] Exceeds maximum queue size', 'OVERLOADED', true],
    [status.UNAVAILABLE, '[request id: 7] Request timeout expired', 'OVERLOADED', true],
    [status.UNAVAILABLE, "'unet' version 1 is not at ready state", 'NOT_LOADED', true],
    [status.UNAVAILABLE, "This protocol is restricted, expecting header 'x'", 'MISCONFIGURED', false],
    [status.RESOURCE_EXHAUSTED, 'quota', null, true],
    [status.RESOURCE_EXHAUSTED, 'Received message larger than max (5242885 vs 4194304)', 'TOO_LARGE', false],
    [status.ABORTED, '', null, true],
    [status.NOT_FOUND, "Request for unknown model: 'u' has no available versions", 'NOT_LOADED', false],
    [status.INVALID_ARGUMENT, "Request for unknown model: 'u' is not found", 'NOT_LOADED', false],
    [status.INVALID_ARGUMENT, "unexpected shape for input 'sample'", null, false],
    [status.INTERNAL, 'Failed to process the request(s), message: boom', null, false],
    [status.INTERNAL, "Stub process 'u_0_0' is not healthy.", 'WORKER_DIED', false],
    [status.INTERNAL, 'Failed to allocate memory for requested buffer of size 1', 'OUT_OF_MEMORY', false],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded after 4s', null, false],
    [status.CANCELLED, 'Cancelled on client', null, false],
  ])('reads status %i, %j as %s, retryable: %s', (code, message, reason, retryable) => {
    expect(new KserveError(code, message)).toMatchObject({ status: code, message, reason, retryable });
  });
});
