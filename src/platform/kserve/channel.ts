import type { ChannelOptions, ClientUnaryCall, MethodDefinition } from '@grpc/grpc-js';
import { Client, credentials, status } from '@grpc/grpc-js';
import { StartError } from '../../kernel/errors.ts';
import { KserveError } from './errors.ts';
import { FLOW_CONTROL_BYTES } from './service.ts';

/** HTTP/2 pings while a call is in flight; a server that leaves one unanswered is given up. */
export interface Keepalive {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface ChannelLimits {
  readonly keepalive: Keepalive | null;
  readonly answerBytesMax: number;
}

export interface CallLimits {
  /** Time of day in milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface Channel {
  /**
   * Rejects with a `KserveError`; leaves no listener on `signal`, whichever way the call ends. What fails once
   * the channel has been closed here says nothing of the server: CANCELLED.
   */
  unary<Q, R>(method: MethodDefinition<Q, R>, request: Q, limits: CallLimits): Promise<R>;
  /** Cancels the calls in flight and closes the connection. */
  close(): void;
}

/** Prepares a channel; the first call connects. Throws a `StartError` when `address` cannot be one. */
export function openChannel(address: string, limits: ChannelLimits): Channel {
  const client = new Client(parseAddress(address), credentials.createInsecure(), channelOptions(limits));
  const inFlight = new Set<ClientUnaryCall>();
  let isClosed = false;
  const closed = (cause?: unknown) =>
    new KserveError(status.CANCELLED, `The connection to ${address} was closed by this side.`, cause);
  return {
    unary(method, request, { deadlineMs, signal }) {
      return new Promise((resolve, reject) => {
        if (isClosed) {
          reject(closed());
          return;
        }
        const call = client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          { deadline: deadlineMs },
          (error, response) => {
            inFlight.delete(call);
            signal?.removeEventListener('abort', cancel);
            if (error && isClosed) reject(closed(error));
            else if (error) reject(new KserveError(error.code, error.details, error));
            // grpc-js calls back with one or the other; its types do not say so.
            else resolve(response as NonNullable<typeof response>);
          },
        );
        const cancel = () => call.cancel();
        inFlight.add(call);
        signal?.addEventListener('abort', cancel, { once: true });
        if (signal?.aborted) cancel();
      });
    },
    close() {
      isClosed = true;
      for (const call of inFlight) call.cancel();
      client.close();
    },
  };
}

function channelOptions({ keepalive, answerBytesMax }: ChannelLimits): ChannelOptions {
  return {
    'grpc.max_receive_message_length': answerBytesMax,
    'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
    // The defaults of 1 s and 120 s leave a restarted node unused for seconds; with these the
    // channel is back within a quarter of a second.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
    // Connections belong to their client: closing one must not depend on who else uses the address.
    'grpc.use_local_subchannel_pool': 1,
    // Nodes are neighbours: a proxy for the outside world, or call settings from DNS, are not for them.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(keepalive && {
      'grpc.keepalive_time_ms': keepalive.intervalMs,
      'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    }),
  };
}

function parseAddress(address: string): string {
  const target = address.replace(/^grpc:\/\//, '');
  if (/^(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(target)) return target;
  throw new StartError(`The node address ${JSON.stringify(address)} is not of the form grpc://host:port.`);
}
