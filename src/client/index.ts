export type {
  JobEventType,
  JobSubmitInput,
  OutputFormat,
  SamplerOptionsInput,
  SchedulerName,
  SigmaSchedule,
  SolverAlgorithm,
  TimestepSpacing,
} from '../generated/client/operations.ts';
export type {
  Client,
  ClientOptions,
  Finding,
  Image,
  Job,
  JobQuote,
  PlatformStats,
  Scheduler,
  Variant,
  Viewer,
} from './client.ts';
export { createClient } from './client.ts';
export type { Downloadable } from './download.ts';
export type { ClientErrorCode, DarkroomErrorOptions, UserError } from './errors.ts';
export { DarkroomError, DarkroomUserErrors } from './errors.ts';
export type { FollowOptions, JobEvent } from './follow-job.ts';
export type { Fetch } from './http.ts';
export type { Timing } from './timing.ts';
