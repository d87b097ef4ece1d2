import type { EngineErrorCode, EngineFault } from '../../dispatcher/engines.ts';
import { EngineError } from '../../dispatcher/engines.ts';
import type { KserveReason } from '../../platform/kserve/index.ts';
import { KserveError, status } from '../../platform/kserve/index.ts';

type Verdict = readonly [EngineErrorCode, EngineFault];

const BY_REASON: Readonly<Record<KserveReason, Verdict>> = {
  NOT_CONNECTED: ['UNREACHABLE', 'node'],
  DRAINING: ['DRAINING', 'node'],
  OVERLOADED: ['OVERLOADED', 'node'],
  NOT_LOADED: ['NOT_LOADED', 'node'],
  MISCONFIGURED: ['REFUSED', 'node'],
  // As large on every other node.
  TOO_LARGE: ['REFUSED', 'request'],
  // Another node may have more memory, or memory that is not fragmented.
  OUT_OF_MEMORY: ['FAILED', 'node'],
  WORKER_DIED: ['CRASHED', 'node'],
  BROKEN_ANSWER: ['BAD_ANSWER', 'node'],
  // Of inputs it never comes this far: they are sent again, as bytes.
  REGION_UNKNOWN: ['FAILED', 'node'],
};

const BY_STATUS: Readonly<Partial<Record<status, Verdict>>> = {
  [status.CANCELLED]: ['CANCELLED', 'node'],
  [status.INVALID_ARGUMENT]: ['REFUSED', 'request'],
  [status.OUT_OF_RANGE]: ['REFUSED', 'request'],
  [status.DEADLINE_EXCEEDED]: ['TIMED_OUT', 'node'],
  [status.UNAVAILABLE]: ['UNREACHABLE', 'node'],
  [status.RESOURCE_EXHAUSTED]: ['OVERLOADED', 'node'],
  [status.UNAUTHENTICATED]: ['REFUSED', 'node'],
  [status.PERMISSION_DENIED]: ['REFUSED', 'node'],
  [status.UNIMPLEMENTED]: ['REFUSED', 'node'],
  // The model raised on these inputs: on another node it raises again, and costs that node too.
  [status.INTERNAL]: ['FAILED', 'request'],
};

// Where the text is grpc's own, or says no more than the code: a person reads this, perhaps without a log beside it.
const IN_WORDS: Readonly<Partial<Record<EngineErrorCode, string>>> = {
  UNREACHABLE: 'cannot be reached',
  TIMED_OUT: 'did not answer in time',
  DRAINING: 'is about to end and takes no more calls',
  OVERLOADED: 'has no room for the call',
  CANCELLED: 'was not waited for',
};

/** Says of a failed call to `who` whose fault it is; what is not a `KserveError` comes back as it is. */
export function toEngineError(error: unknown, who: string): unknown {
  if (!(error instanceof KserveError)) return error;
  const [code, fault] = verdictOn(error);
  const wasSent = error.reason !== 'NOT_CONNECTED';
  return new EngineError(code, describe(who, code, error), { fault, wasSent, cause: error });
}

function describe(who: string, code: EngineErrorCode, { message }: KserveError): string {
  const words = IN_WORDS[code];
  if (words === undefined) return `${who} failed: ${message}`;
  const [systemCode] = /\bE[A-Z]{3,}\b/.exec(message) ?? [];
  return systemCode === undefined ? `${who} ${words}.` : `${who} ${words} (${systemCode}).`;
}

function verdictOn({ reason, status: code }: KserveError): Verdict {
  // A status outside the table is not one that an inference server sends on purpose.
  return (reason && BY_REASON[reason]) ?? BY_STATUS[code] ?? ['FAILED', 'node'];
}
