import type { Operations, PlatformReport, ProcessReport } from '../../domains/operations/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import { renderMetrics } from '../../platform/telemetry/index.ts';
import { platformMetrics, processMetrics } from './platform-metrics.ts';

export interface MetricsDeps {
  readonly operations: Pick<Operations, 'report'>;
  /** This process, of which there is something to tell whatever else is down. */
  readonly own: () => ProcessReport;
}

/**
 * Makes the text of one scrape: Node's own metrics of this process, and the platform's, so that one
 * target is enough. Without the database there are those of this process alone.
 */
export function createMetrics({ operations, own }: MetricsDeps): () => Promise<string> {
  return async () => {
    const report = await operations.report().catch(nothingWhenUnavailable);
    const processes = report?.processes ?? [own()];
    return renderMetrics([...platformMetrics(report?.stats ?? null), ...processMetrics(processes)]);
  };
}

function nothingWhenUnavailable(error: unknown): PlatformReport | null {
  if (error instanceof DomainError && error.code === 'UNAVAILABLE') return null;
  throw error;
}
