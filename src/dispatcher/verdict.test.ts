import { describe, expect, it } from 'vitest';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import { systemRandom } from '../kernel/random.ts';
import { EngineError } from './engines.ts';
import { judgeFailure } from './verdict.ts';

const judge = (attempts: number, error: unknown) =>
  judgeFailure({ attempts } as ClaimedJob, { random: systemRandom, attemptsMax: 3 }, error);

describe('what becomes of a job whose run failed', () => {
  it.each([
    ['was cut off', new EngineError('UNREACHABLE', 'read ECONNRESET', { fault: 'node' }), true],
    ['never left', new EngineError('UNREACHABLE', 'refused', { fault: 'node', wasSent: false }), false],
    ['was taken back by ourselves', new EngineError('CANCELLED', 'closed', { fault: 'node' }), false],
    ['met a node that drains', new EngineError('DRAINING', 'exiting', { fault: 'node' }), false],
    ['met a full node', new EngineError('OVERLOADED', 'full', { fault: 'node' }), false],
  ])('counts as an attempt only when its call may have done harm: it %s', (_, error, isAttempt) => {
    expect(judge(0, error)).toMatchObject({ kind: 'REQUEUE', isAttempt });
    expect(judge(2, error).kind).toBe(isAttempt ? 'END' : 'REQUEUE');
  });
});
