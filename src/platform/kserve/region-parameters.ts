import type { InferParameters } from './messages.ts';

/** Where a tensor lies: `byteSize` bytes from `offset` of the region that is registered as `region`. */
export interface RegionSpan {
  readonly region: string;
  readonly offset: number;
  readonly byteSize: number;
}

/** The parameters that point a tensor of a request into shared memory. */
export function regionParameters({ region, offset, byteSize }: RegionSpan): InferParameters {
  return {
    shared_memory_region: { string_param: region },
    shared_memory_offset: { int64_param: offset },
    shared_memory_byte_size: { int64_param: byteSize },
  };
}

/** Where a tensor's parameters point, or null when it is not in shared memory. */
export function readRegionParameters(parameters: InferParameters = {}): RegionSpan | null {
  const region = parameters.shared_memory_region?.string_param;
  if (region === undefined) return null;
  return {
    region,
    offset: parameters.shared_memory_offset?.int64_param ?? 0,
    byteSize: parameters.shared_memory_byte_size?.int64_param ?? 0,
  };
}
