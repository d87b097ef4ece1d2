import type { JobFinding } from '../../domains/generation/index.ts';
import { JOB_FINDINGS } from '../../domains/generation/index.ts';
import type { UserErrorCode } from '../../kernel/errors.ts';
import { DomainError, DomainErrors, isUserErrorCode } from '../../kernel/errors.ts';

interface UserError {
  readonly code: UserErrorCode;
  readonly field: readonly string[];
  readonly message: string;
  readonly finding: JobFinding | null;
}

interface UserErrors {
  readonly userErrors: readonly UserError[];
}

/**
 * Runs a mutation and tells what its caller can mend as `userErrors` of the payload. Anything else
 * is thrown on, also when it comes together with things that could be mended.
 */
export async function withUserErrors<Payload extends object>(
  work: () => Promise<Payload>,
): Promise<UserErrors | (Payload & UserErrors)> {
  try {
    return { ...(await work()), userErrors: [] };
  } catch (error) {
    const userErrors = toUserErrors(error);
    if (!userErrors) throw error;
    return { userErrors };
  }
}

function toUserErrors(error: unknown): readonly UserError[] | null {
  const refusals = refusalsOf(error);
  const userErrors = refusals.flatMap(userErrorOf);
  return userErrors.length > 0 && userErrors.length === refusals.length ? userErrors : null;
}

/** What a caller can mend, as it is told; nothing for what they cannot. */
export function userErrorOf({ code, field, message, finding }: DomainError): readonly UserError[] {
  return isUserErrorCode(code) ? [{ code, field, message, finding: toFinding(finding) }] : [];
}

function toFinding(finding: string | null): JobFinding | null {
  return JOB_FINDINGS.find((each) => each === finding) ?? null;
}

function refusalsOf(error: unknown): readonly DomainError[] {
  if (error instanceof DomainErrors) return error.errors;
  return error instanceof DomainError ? [error] : [];
}
