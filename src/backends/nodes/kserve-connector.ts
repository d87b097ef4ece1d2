import type { NodeConnector } from '../../dispatcher/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { connectKserve } from '../../platform/kserve/index.ts';
import { createEngines, describeNode } from '../engines/index.ts';

export interface KserveConnectorDeps {
  /** How long one call may take, in milliseconds. */
  readonly callTimeoutMs: number;
  /**
   * The node of our own, which takes frequent pings: they find in seconds that it hangs. A stock Triton
   * ends connections that ping more often than every five minutes, and there the deadline has to do.
   */
  readonly ownAddress: string | null;
  readonly clock: Clock;
}

// Patient enough for a machine whose cores are all at work.
const OWN_KEEPALIVE = { intervalMs: 2_000, timeoutMs: 5_000 };

/** Connects the dispatcher to nodes that speak KServe v2: Triton, and the embedded node. */
export function createKserveConnector({
  callTimeoutMs,
  ownAddress,
  clock,
}: KserveConnectorDeps): NodeConnector {
  return {
    connect(address) {
      const keepalive = address === ownAddress ? { keepalive: OWN_KEEPALIVE } : {};
      const client = connectKserve({ address, callTimeoutMs, clock, ...keepalive });
      return {
        engines: createEngines(client),
        describe: (signal) => describeNode(client, signal),
        [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
      };
    },
  };
}
