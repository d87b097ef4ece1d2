export { status } from '@grpc/grpc-js';
export type { Keepalive } from './channel.ts';
export { connectKserve, type KserveClient, type KserveOptions } from './client.ts';
export { KserveError, type KserveReason } from './errors.ts';
export { isLoopback } from './loopback.ts';
export type * from './messages.ts';
export { readRegionParameters, regionParameters, type RegionSpan } from './region-parameters.ts';
export { FLOW_CONTROL_BYTES, loadKserveService, MESSAGE_BYTES_MAX, type KserveService } from './service.ts';
export {
  byteSize,
  decodeTensor,
  elementCount,
  encodeTensor,
  parseDatatype,
  type DataOf,
  type Datatype,
  type TensorData,
} from './tensors.ts';
