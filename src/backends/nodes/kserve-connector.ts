import type { NodeConnector } from '../../dispatcher/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { connectKserve, isLoopback } from '../../platform/kserve/index.ts';
import { createEngines, describeNode, loadModel, openInputRegions, unloadModel } from '../engines/index.ts';

export interface KserveConnectorDeps {
  /** How long one call may take, in milliseconds. */
  readonly callTimeoutMs: number;
  /**
   * The node of our own, which takes frequent pings: they find in seconds that it hangs. A stock Triton
   * ends connections that ping more often than every five minutes, and there the deadline has to do.
   */
  readonly ownAddress: string | null;
  readonly clock: Clock;
  readonly random: Random;
}

// Patient enough for a machine whose cores are all at work.
const OWN_KEEPALIVE = { intervalMs: 2_000, timeoutMs: 5_000 };

/** Connects the dispatcher to nodes that speak KServe v2: Triton, and the embedded node. */
export function createKserveConnector({
  callTimeoutMs,
  ownAddress,
  clock,
  random,
}: KserveConnectorDeps): NodeConnector {
  return {
    connect(address) {
      const keepalive = address === ownAddress ? { keepalive: OWN_KEEPALIVE } : {};
      const client = connectKserve({ address, callTimeoutMs, clock, ...keepalive });
      // A node on this machine, or behind a tunnel that looks like one: the node says which when it is asked.
      const regions = isLoopback(address) ? openInputRegions({ client, random }) : null;
      return {
        engines: createEngines({ client, regions }),
        describe: (signal) => describeNode(client, signal),
        unload: (model, signal) => unloadModel(client, model, signal),
        load: (model, signal) => loadModel(client, model, signal),
        async [Symbol.asyncDispose]() {
          await regions?.[Symbol.asyncDispose]();
          await client[Symbol.asyncDispose]();
        },
      };
    },
  };
}
