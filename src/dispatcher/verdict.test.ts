import { describe, expect, it } from 'vitest';
import type { ClaimedJob } from '../domains/scheduling/index.ts';
import { RECOVERIES_MAX } from '../domains/scheduling/index.ts';
import { systemRandom } from '../kernel/random.ts';
import type { EngineErrorCode } from './engines.ts';
import { EngineError } from './engines.ts';
import { judgeFailure } from './verdict.ts';

const judge = (error: unknown, counted: { attempts?: number; recoveries?: number } = {}) =>
  judgeFailure(
    { attempts: 0, recoveries: 0, ...counted } as ClaimedJob,
    { random: systemRandom, attemptsMax: 3 },
    error,
  );

const engineError = (code: EngineErrorCode, wasSent = true) =>
  new EngineError(code, 'x', { fault: 'node', wasSent });

describe('what becomes of a job whose run failed', () => {
  it.each([
    ['failed', engineError('FAILED'), 'ATTEMPT'],
    ['was answered with nonsense', engineError('BAD_ANSWER'), 'ATTEMPT'],
    ['was cut off', engineError('UNREACHABLE'), 'RECOVERY'],
    ['met a node without its model', engineError('NOT_LOADED'), 'RECOVERY'],
    ['was not answered in time', engineError('TIMED_OUT'), 'RECOVERY'],
    ['never left', engineError('UNREACHABLE', false), null],
    ['was taken back by ourselves', engineError('CANCELLED'), null],
    ['met a node that drains', engineError('DRAINING'), null],
    ['met a full node', engineError('OVERLOADED'), null],
  ])('counts as an attempt only when the engine answered: its call %s', (_, error, counts) => {
    expect(judge(error)).toMatchObject({ kind: 'REQUEUE', counts });
    expect(judge(error, { attempts: 2 }).kind).toBe(counts === 'ATTEMPT' ? 'END' : 'REQUEUE');
    expect(judge(error, { recoveries: RECOVERIES_MAX }).kind).toBe(counts === 'RECOVERY' ? 'END' : 'REQUEUE');
  });

  it('is parked as poisoned when nodes went away under it again and again', () => {
    expect(judge(engineError('UNREACHABLE'), { recoveries: RECOVERIES_MAX })).toMatchObject({
      kind: 'END',
      outcome: { state: 'FAILED', error: { code: 'POISONED' }, credits: 0 },
    });
  });

  it.each([
    ['attempts', engineError('FAILED')],
    ['recoveries', engineError('UNREACHABLE')],
  ])('waits longer the more %s there were, and never longer than ten seconds', (name, error) => {
    for (const [times, ceilingMs] of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) {
      const job = { attempts: 0, recoveries: 0, [name]: times } as unknown as ClaimedJob;
      const verdict = judgeFailure(job, { random: systemRandom, attemptsMax: 100 }, error);
      const delayMs = verdict.kind === 'REQUEUE' ? verdict.delayMs : Number.NaN;
      expect(delayMs).toBeGreaterThanOrEqual(ceilingMs / 2);
      expect(delayMs).toBeLessThanOrEqual(ceilingMs);
    }
  });
});
