/**
 * The numerics of Stable Diffusion: what to ask of the engines and what to make of the answers.
 * Pure and synchronous; no clock, no IO, and no randomness but what a seed gives.
 */
export { BundleError } from './bundle-error.ts';
export type { Picture } from './denoise.ts';
export { advance, decoderInput, modelInput, startPicture, timestepOf } from './denoise.ts';
export type { OptionDescription, SchedulerDescription } from './describe-scheduler.ts';
export { describeScheduler, evaluationsOf } from './describe-scheduler.ts';
export type { Guidance, GuidanceForm } from './guidance.ts';
export { combineGuidance } from './guidance.ts';
export { hasNonFinite } from './kernels.ts';
export type { SchedulerName, SigmaSchedule } from './names.ts';
export { SCHEDULER_NAMES, SIGMA_SCHEDULES } from './names.ts';
export type { NormalSource } from './noise/torch-normal.ts';
export { drawNormal, openTorchNormal, torchNormal } from './noise/torch-normal.ts';
export type { EngineCall, GenerationPlan, PlanInput, PlannedPart } from './plan.ts';
export { compilePlan, partsOf } from './plan.ts';
export type { Conditions } from './prompt/conditions.ts';
export { chunksToEncode, toConditions } from './prompt/conditions.ts';
export type { ChunkLimits } from './prompt/chunk-limits.ts';
export { chunkLimits } from './prompt/chunk-limits.ts';
export type { FramedChunk } from './prompt/frame-chunk.ts';
export type { FramedPrompt, FramedPrompts } from './prompt/frame-prompts.ts';
export { framePrompts } from './prompt/frame-prompts.ts';
export type { PromptReading } from './prompt/read-prompt.ts';
export { readPrompt } from './prompt/read-prompt.ts';
export type { WeightedToken } from './prompt/split-chunks.ts';
export type { Tokenizer, TokenizerFiles } from './prompt/tokenizer.ts';
export { openTokenizer } from './prompt/tokenizer.ts';
export type { SchedulerConfig } from './schedulers/config.ts';
export { parseSchedulerConfig, TIMESTEP_SPACINGS } from './schedulers/config.ts';
export { schedulerOf } from './schedulers/registry.ts';
export type { SamplerOptions } from './sampler-options.ts';
export { ALGORITHMS, SOLVER_ORDERS } from './sampler-options.ts';
export type { SchedulePlan, SchedulerState } from './schedulers/scheduler.ts';
export type { Settings, SettingsInput } from './settings.ts';
export { resolveSettings } from './settings.ts';
export type { Finding, FindingCode } from './validation/finding.ts';
export { FINDING_CODES } from './validation/finding.ts';
export { validate } from './validation/validate.ts';
export type { VersionFinding } from './validation/validate-version.ts';
export { validateVersion } from './validation/validate-version.ts';
