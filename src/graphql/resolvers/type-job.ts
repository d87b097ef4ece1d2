import type { JobResolvers } from '../../generated/graphql/resolvers.ts';

export const Job: JobResolvers = {
  prompt: ({ readSettings }) => readSettings().settings.prompt,
  negativePrompt: ({ readSettings }) => readSettings().settings.negativePrompt,
  width: ({ readSettings }) => readSettings().settings.width,
  height: ({ readSettings }) => readSettings().settings.height,
  steps: ({ readSettings }) => readSettings().settings.steps,
  guidanceScale: ({ readSettings }) => readSettings().settings.guidanceScale,
  scheduler: ({ readSettings }) => readSettings().settings.scheduler,
  sigmaSchedule: ({ readSettings }) => readSettings().settings.sigmaSchedule,
  seed: ({ readSettings }) => readSettings().settings.seed,
  imageCount: ({ readSettings }) => readSettings().settings.imageCount,
  previewEverySteps: ({ readSettings }) => readSettings().settings.previewEverySteps,
  outputFormat: ({ readSettings }) => readSettings().settings.outputFormat,
  promptTokens: ({ readSettings }) => readSettings().prompt.tokenCount,
  promptIsTruncated: ({ readSettings }) => readSettings().prompt.isTruncated,
  negativePromptTokens: ({ readSettings }) => readSettings().negativePrompt.tokenCount,
  negativePromptIsTruncated: ({ readSettings }) => readSettings().negativePrompt.isTruncated,
  metadata: ({ readMetadata }) => readMetadata(),
  images: ({ id }, _args, { loaders }) => loaders.images.load(id),
  events: ({ id }, _args, { loaders }) => loaders.history.load(id),
};
