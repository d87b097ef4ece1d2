export type {
  ApiFigures,
  DispatcherFigures,
  PlatformStats,
  ProcessFigures,
  ProcessIdentity,
  ProcessReport,
} from './figures.ts';
export type { FleetLoad } from './load.ts';
export { readLoad } from './load.ts';
export type { Operations, PlatformReport } from './operations.ts';
export { createOperations } from './operations.ts';
export type { FigureSources } from './process-meter.ts';
export { createProcessMeter } from './process-meter.ts';
export type { PublishDeps } from './publish-figures.ts';
export { publishFigures } from './publish-figures.ts';
