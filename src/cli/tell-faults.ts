import type { Logger } from '../platform/telemetry/index.ts';
import type { Host } from './host.ts';

/** While it is not disposed of, a fault that nobody caught is one line of the log, with where it came from. */
export function tellFaults(host: Host, logger: Logger): Disposable {
  return host.onFault((error) => logger.fatal({ err: error }, 'a fault that nobody caught ends the process'));
}
