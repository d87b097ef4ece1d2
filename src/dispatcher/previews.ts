import type { Picture } from '../diffusion/index.ts';
import { decode } from './decode.ts';
import type { DispatcherLogger } from './log.ts';
import type { Pictures } from './pictures.ts';
import type { Run } from './run.ts';

/**
 * Makes previews of a run's first picture beside its step loop: at most one at a time, so that slow
 * previews are left out instead of piling up. A preview that fails costs the job nothing.
 */
export function createPreviews(run: Run, pictures: Pictures, logger: DispatcherLogger) {
  const every = run.job.recipe.settings.previewEverySteps;
  let inFlight: Promise<void> | null = null;

  async function make(picture: Picture): Promise<void> {
    try {
      const [rgb] = await decode(run, [picture], { isPreview: true });
      if (rgb) run.preview = await pictures.preview(rgb);
    } catch (error) {
      if (!run.interruption) logger.failed(error, { job: run.job.id }, 'preview failed');
    }
    if (run.preview === null) run.previewStep = null;
  }

  return {
    /** Told after each step. The last step gets none: the picture itself follows. */
    onStep([picture]: readonly Picture[]): void {
      const isDue = every > 0 && run.step % every === 0 && run.step < run.plan.totalSteps;
      if (!isDue || !picture || run.previewStep !== null) return;
      run.previewStep = run.step;
      inFlight = make({ ...picture, latents: picture.latents.slice() });
    },

    /** Waits for the preview in the making, so that nothing of the run is left when it ends. */
    async settle(): Promise<void> {
      await inFlight;
    },
  };
}
