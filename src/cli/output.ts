import type { Finding } from '../client/index.ts';
import { DarkroomError, DarkroomUserErrors } from '../client/index.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Output } from './host.ts';

/** A refusal by the command itself: one line that says what to do, exit status 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Ctrl-C: what was under way has been stopped in an orderly way. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(message = 'Interrupted.') {
    super(message);
  }
}

export const EXIT_FAILED = 1;
export const EXIT_BAD_INPUT = 2;
/** 128 and the number of SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

// What the caller can do about it, where the API cannot know how it was called.
const ADVICE: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'Give a key in force with --key or DARKROOM_API_KEY.',
  FORBIDDEN: 'Use a key with that permission.',
  UNREACHABLE: 'Check --api or DARKROOM_API.',
  BAD_ANSWER: 'Check --api or DARKROOM_API.',
  UNAVAILABLE: 'Try again in a while.',
};

/** Prints `value` as exactly one line. */
export function printJson(stdout: Output, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}

/**
 * Says on `stderr` what went wrong: input that was refused as `field: message` lines, everything else
 * as one line. Returns the exit status that goes with it.
 */
export function fail(error: unknown, stderr: Output): number {
  if (error instanceof DarkroomUserErrors) {
    for (const { field, message } of error.errors) {
      stderr.write(oneLine(field.length === 0 ? message : `${field.join('.')}: ${message}`));
    }
    return EXIT_BAD_INPUT;
  }
  stderr.write(oneLine(describe(error)));
  if (error instanceof Interrupted) return EXIT_INTERRUPTED;
  // A value that GraphQL's own types refuse: input as well, only without a field of its own.
  return error instanceof DarkroomError && error.code === 'BAD_USER_INPUT' ? EXIT_BAD_INPUT : EXIT_FAILED;
}

/** Says on `stderr` what was found in the settings of a job that runs all the same, one line each. */
export function tellFindings(
  stderr: Output,
  findings: readonly Pick<Finding, 'field' | 'message' | 'fix'>[],
): void {
  for (const { field, message, fix } of findings) {
    stderr.write(oneLine(`warning: ${field.join('.')}: ${message} ${fix}`));
  }
}

function describe(error: unknown): string {
  if (!(error instanceof DarkroomError)) return messageOf(error);
  const advice =
    error.retryAfterMs === undefined
      ? ADVICE[error.code]
      : `Try again in ${Math.ceil(error.retryAfterMs / 1000)} seconds.`;
  return advice === undefined ? error.message : `${error.message} ${advice}`;
}

/** What came from elsewhere, such as a name, with what would move a terminal's cursor made into spaces. */
export function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** The last words of a command that met a fault of its own: one line, and no stack for somebody who cannot mend it. */
export function faultLine(error: unknown): string {
  return oneLine(`darkroom: a fault of its own ends the command: ${messageOf(error)}`);
}

// A message comes from the other side of a wire.
function oneLine(text: string): string {
  return `${withoutControls(text)}\n`;
}
