import type { Resolvers } from '../../generated/graphql/resolvers.ts';
import { Credits } from '../schema/credits.ts';
import { DateTime } from '../schema/date-time.ts';
import { SolverAlgorithm, TimestepSpacing } from '../schema/sampler-enums.ts';
import { Seed } from '../schema/seed.ts';
import { Url } from '../schema/url.ts';
import { jobCancel } from './mutation-job-cancel.ts';
import { jobSubmit } from './mutation-job-submit.ts';
import { job } from './query-job.ts';
import { jobQuote } from './query-job-quote.ts';
import { jobs } from './query-jobs.ts';
import { platformStats } from './query-platform-stats.ts';
import { promptPreview } from './query-prompt-preview.ts';
import { schedulers } from './query-schedulers.ts';
import { variant } from './query-variant.ts';
import { variants } from './query-variants.ts';
import { viewer } from './query-viewer.ts';
import { jobEvents } from './subscription-job-events.ts';
import { Image } from './type-image.ts';
import { Job } from './type-job.ts';
import { JobConnection } from './type-job-connection.ts';
import { JobQuote } from './type-job-quote.ts';
import { PromptPreview } from './type-prompt-preview.ts';
import { Scheduler, SchedulerAlias, SchedulerFit, SchedulerOption } from './type-scheduler.ts';
import { Variant, VariantVersion } from './type-variant.ts';
import { Viewer } from './type-viewer.ts';

export const resolvers: Resolvers = {
  Query: { viewer, job, jobs, variant, variants, promptPreview, jobQuote, schedulers, platformStats },
  Mutation: { jobSubmit, jobCancel },
  Subscription: { jobEvents },
  Image,
  Job,
  JobConnection,
  JobQuote,
  PromptPreview,
  Scheduler,
  SchedulerAlias,
  SchedulerFit,
  SchedulerOption,
  Variant,
  VariantVersion,
  Viewer,
  Credits,
  DateTime,
  Seed,
  SolverAlgorithm,
  TimestepSpacing,
  Url,
};
