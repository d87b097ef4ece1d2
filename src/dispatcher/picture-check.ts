import type { PictureFault } from '../diffusion/index.ts';
import { JobFailure } from './failure.ts';
import type { DispatcherLogger } from './log.ts';
import type { Run } from './run.ts';
import type { DispatcherSettings } from './settings.ts';

export interface PictureCheckDeps {
  readonly logger: DispatcherLogger;
  readonly settings: Pick<DispatcherSettings, 'pictureCheck'>;
}

/**
 * Ends the run with a `JobFailure` for what is wrong with a picture, if anything: the node has done nothing wrong,
 * and any other would draw the same. Where pictures are only to be watched, the log tells of it and the run goes on.
 */
export function answerFor(
  run: Run,
  { logger, settings }: PictureCheckDeps,
  fault: PictureFault | null,
): void {
  if (!fault) return;
  const { code, message, ...figures } = fault;
  if (settings.pictureCheck === 'refuse') throw new JobFailure(code, message);
  logger.warn({ job: run.job.id, step: run.step, code, ...figures }, 'the picture check would fail this job');
}
