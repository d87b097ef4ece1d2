import { Server, ServerCredentials } from '@grpc/grpc-js';
import { FLOW_CONTROL_BYTES, loadKserveService, MESSAGE_BYTES_MAX } from '../../src/platform/kserve/index.ts';
import { RESPONSE } from './kserve-payload.ts';

// A gRPC server that answers every inference with the same bytes and looks at none: what remains of a call is
// what grpc-js and HTTP/2 take. It says its port when it is ready.

const { ModelInfer } = loadKserveService();
const identity = (bytes: Buffer) => bytes;
const answer = ModelInfer.responseSerialize(RESPONSE);

const server = new Server({
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
});
server.register(
  ModelInfer.path,
  (_: unknown, reply: (error: null, bytes: Buffer) => void) => reply(null, answer),
  identity,
  identity,
  'unary',
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(port);
});
