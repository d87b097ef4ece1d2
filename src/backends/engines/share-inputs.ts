import type {
  InferInput,
  KserveClient,
  ModelInferRequest,
  ModelInferResponse,
} from '../../platform/kserve/index.ts';
import { KserveError, regionParameters } from '../../platform/kserve/index.ts';
import type { InputRegion, InputRegions } from './input-regions.ts';

/** Where calls go: a connection, and the memory that is shared with its node where there is any. */
export interface Route {
  readonly client: KserveClient;
  readonly regions: InputRegions | null;
}

/** Below it a copy within the message costs less than finding a region. */
const SHARED_BYTES_MIN = 64 * 2 ** 10;
/** Above it the memory would be held for a call that hardly ever comes. */
const SHARED_BYTES_MAX = 64 * 2 ** 20;
/** Inputs start where any element type may start, and on a cache line of their own. */
const ALIGNMENT = 64;

interface Placed {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/**
 * Sends a request whose large inputs travel in shared memory where the two have some, and within the message
 * otherwise. Rejects as `modelInfer` does.
 */
export async function inferShared(
  { client, regions }: Route,
  request: ModelInferRequest,
  signal: AbortSignal,
): Promise<ModelInferResponse> {
  const { placed, byteSize } = layOut(request);
  if (!regions || placed.length === 0 || byteSize > SHARED_BYTES_MAX)
    return client.modelInfer(request, signal);
  using region = await regions.borrow(byteSize);
  if (!region) return client.modelInfer(request, signal);
  for (const { bytes, offset } of placed) region.write(bytes, offset);
  try {
    return await client.modelInfer(pointInto(region, request, placed), signal);
  } catch (error) {
    if (!(error instanceof KserveError) || error.reason !== 'REGION_UNKNOWN') throw error;
    // The node was started again. It has computed nothing yet.
    regions.forget();
    return client.modelInfer(request, signal);
  }
}

function layOut({ raw_input_contents = [] }: ModelInferRequest): {
  readonly placed: readonly Placed[];
  readonly byteSize: number;
} {
  const placed: Placed[] = [];
  let end = 0;
  for (const [at, bytes] of raw_input_contents.entries()) {
    if (bytes.byteLength < SHARED_BYTES_MIN) continue;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    placed.push({ at, bytes, offset });
    end = offset + bytes.byteLength;
  }
  return { placed, byteSize: end };
}

function pointInto(
  { name: region }: InputRegion,
  request: ModelInferRequest,
  placed: readonly Placed[],
): ModelInferRequest {
  const placeOf = new Map(placed.map((each) => [each.at, each]));
  const point = (input: InferInput, at: number): InferInput => {
    const place = placeOf.get(at);
    if (!place) return input;
    const span = { region, offset: place.offset, byteSize: place.bytes.byteLength };
    return { ...input, parameters: regionParameters(span) };
  };
  return {
    ...request,
    inputs: request.inputs.map(point),
    raw_input_contents: (request.raw_input_contents ?? []).filter((_, at) => !placeOf.has(at)),
  };
}
