import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { KserveError } from '../../platform/kserve/index.ts';
import { toEngineError } from './engine-errors.ts';

const WHO = 'pico.unet on grpc://10.0.0.7:8001';
const messageOf = (code: status, details: string) =>
  (toEngineError(new KserveError(code, details), WHO) as Error).message;

describe('the message of a failed call', () => {
  it.each([
    [
      status.UNAVAILABLE,
      'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.7:8001. Resolution note: ',
      'cannot be reached (ECONNREFUSED)',
    ],
    [status.UNAVAILABLE, 'Connection dropped', 'cannot be reached'],
    [
      status.DEADLINE_EXCEEDED,
      'Deadline exceeded after 4.001s,remote_addr=10.0.0.7:8001',
      'did not answer in time',
    ],
    [status.CANCELLED, 'Cancelled on client', 'was not waited for'],
    [status.UNAVAILABLE, 'Server exiting', 'is about to end and takes no more calls'],
    [status.UNAVAILABLE, '[request id: 7] Exceeds maximum queue size', 'has no room for the call'],
  ])(
    'of status %i, %j names node and model and says what is wrong in plain words',
    (code, details, words) => {
      expect(messageOf(code, details)).toBe(`${WHO} ${words}.`);
    },
  );

  it('keeps what the server says of the model', () => {
    expect(messageOf(status.INTERNAL, 'onnx runtime error: boom')).toBe(
      `${WHO} failed: onnx runtime error: boom`,
    );
  });
});
