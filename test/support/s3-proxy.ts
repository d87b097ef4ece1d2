import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as startRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What becomes of one request:
 *
 * - `slow-down`: 503 SlowDown, as S3 answers when it is asked too much; the server hears nothing of it.
 * - `no-conditions`: 501 if it carries a condition, as from a server that knows none.
 * - `cut-request`: the server gets half of the body, then both ends are cut off.
 * - `lose-answer`: the server does it, and the client is cut off in place of the answer.
 * - `cut-answer`: the client gets half of the answer's body.
 * - `other-checksum`: the answer tells another checksum than the server's.
 * - `damage`: the server gets another first byte.
 * - `hang`: the server hears nothing of it, and the client waits.
 */
export type S3Fault =
  | 'slow-down'
  | 'no-conditions'
  | 'cut-request'
  | 'lose-answer'
  | 'cut-answer'
  | 'other-checksum'
  | 'damage'
  | 'hang';

/** A stretch of HTTP in front of an S3 server that does harm when it is told to. */
export interface S3Proxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Method and path of all that came, oldest first. */
  readonly requests: string[];
  /** One for each of the next requests; what comes when it is empty passes. */
  readonly faults: S3Fault[];
  /** What befalls every request while it is not null. */
  always: S3Fault | null;
}

export async function startS3Proxy(targetPort: number): Promise<S3Proxy> {
  const requests: string[] = [];
  const faults: S3Fault[] = [];
  const state: { always: S3Fault | null } = { always: null };
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url?.split('?')[0]}`);
    const fault = state.always ?? faults.shift() ?? null;
    // A connection that breaks is what half of the faults are for.
    serve({ request, response, fault, targetPort }).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    faults,
    get always() {
      return state.always;
    },
    set always(fault) {
      state.always = fault;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const OTHER_CHECKSUM = { 'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64') };

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly fault: S3Fault | null;
  readonly targetPort: number;
}

async function serve({ request, response, fault, targetPort }: Exchange): Promise<void> {
  const body = await buffer(request);
  if (fault === 'hang') return;
  const isConditional = request.headers['if-none-match'] !== undefined;
  if (fault === 'slow-down') return refuse(response, 503, 'SlowDown');
  if (fault === 'no-conditions' && isConditional) return refuse(response, 501, 'NotImplemented');
  const answer = await pass(request, fault === 'damage' ? damaged(body) : body, { fault, targetPort });
  const content = await buffer(answer);
  if (fault === 'lose-answer') {
    request.socket.destroy();
    return;
  }
  const headers = fault === 'other-checksum' ? { ...answer.headers, ...OTHER_CHECKSUM } : answer.headers;
  response.writeHead(answer.statusCode ?? 500, headers);
  if (fault !== 'cut-answer') {
    response.end(content);
    return;
  }
  response.write(content.subarray(0, content.length / 2), () => request.socket.destroy());
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>As told.</Message></Error>`,
  );
}

function damaged(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
}

/** The server's answer. The headers go as they came, the host's name too, which is signed. */
async function pass(
  request: IncomingMessage,
  body: Buffer,
  { fault, targetPort }: Pick<Exchange, 'fault' | 'targetPort'>,
): Promise<IncomingMessage> {
  const { method, url: path, headers } = request;
  const onward = startRequest({ host: '127.0.0.1', port: targetPort, method, path, headers, agent: false });
  const answered = once(onward, 'response') as Promise<[IncomingMessage]>;
  if (fault === 'cut-request') {
    onward.write(body.subarray(0, body.length / 2), () => onward.destroy());
  } else {
    onward.end(body);
  }
  const [answer] = await answered;
  return answer;
}
