export type { Finding, SamplerOptions } from '../../diffusion/index.ts';
export { partialCredits } from './charge.ts';
export type { Completion, FinishedRun, Outcome } from './complete.ts';
export { createCompletion } from './complete.ts';
export type { JobEvent, JobEventType } from './event.ts';
export { JOB_EVENT_TYPES } from './event.ts';
export type { Bell, Doorbell } from './events/doorbell.ts';
export { CANCEL_CHANNEL, EVENTS_CHANNEL, QUEUE_CHANNEL } from './events/doorbell.ts';
export type { Events } from './events/events.ts';
export { createEvents } from './events/events.ts';
export type { NewProgress, NewStateEvent } from './events/store.ts';
export { insertProgress, insertStateEvents } from './events/store.ts';
export { createWaiters } from './events/waiters.ts';
export type { GenerationDeps } from './deps.ts';
export type { Generation } from './generation.ts';
export { createGeneration } from './generation.ts';
export type { JobFinding } from './check-submission.ts';
export { JOB_FINDINGS } from './check-submission.ts';
export type {
  Image,
  Job,
  JobError,
  JobErrorCode,
  JobFilter,
  JobSettings,
  JobState,
  JobSubmission,
  MetadataEntry,
  OutputFormat,
} from './job.ts';
export { isFinal, JOB_ERROR_CODES, JOB_STATES, OUTPUT_FORMATS } from './job.ts';
export type { Attempt } from './image-keys.ts';
export { toImageKeys } from './image-keys.ts';
export type { ImageLink, ImageLinks } from './links.ts';
export type { PromptPreview } from './preview-prompts.ts';
export type { JobQuote } from './quote.ts';
export type { DoomedImage, Retention } from './retention.ts';
export { createRetention } from './retention.ts';
export type { Recipe } from './recipe.ts';
export { parseRecipe } from './recipe.ts';
export { engineKeyOf } from './submit.ts';
