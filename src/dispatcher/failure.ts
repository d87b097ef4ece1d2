import type { JobErrorCode } from '../domains/generation/index.ts';

/** A job that can never succeed as it stands. The message is for its tenant. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly code: JobErrorCode;

  constructor(code: JobErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
