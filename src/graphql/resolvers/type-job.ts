import type { JobResolvers } from '../../generated/graphql/resolvers.ts';

export const Job: JobResolvers = {
  prompt: ({ settings }) => settings.prompt,
  negativePrompt: ({ settings }) => settings.negativePrompt,
  width: ({ settings }) => settings.width,
  height: ({ settings }) => settings.height,
  steps: ({ settings }) => settings.steps,
  guidanceScale: ({ settings }) => settings.guidanceScale,
  scheduler: ({ settings }) => settings.scheduler,
  sigmaSchedule: ({ settings }) => settings.sigmaSchedule,
  seed: ({ settings }) => settings.seed,
  imageCount: ({ settings }) => settings.imageCount,
  previewEverySteps: ({ settings }) => settings.previewEverySteps,
  outputFormat: ({ settings }) => settings.outputFormat,
  images: ({ id }, _args, { loaders }) => loaders.images.load(id),
  events: ({ id }, _args, { loaders }) => loaders.history.load(id),
};
