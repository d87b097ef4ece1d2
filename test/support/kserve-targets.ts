import { openPicoParts, startPicoNode } from './node.ts';
import { isTritonSkipped, startTriton } from './triton.ts';

/** A server that speaks the protocol, to hold the same cases against. */
export interface KserveTarget {
  readonly name: string;
  readonly isReal: boolean;
  /** Starts it with these parts of pico. */
  readonly start: (...parts: readonly string[]) => Promise<AsyncDisposable & { readonly address: string }>;
}

/** The embedded node, and the server that it must not be told from where that is installed. */
export const KSERVE_TARGETS: readonly KserveTarget[] = [
  {
    name: 'the embedded node',
    isReal: false,
    start: async (...parts) => startPicoNode({ bundles: [await openPicoParts(...parts)] }),
  },
  ...(isTritonSkipped
    ? []
    : [{ name: 'Triton', isReal: true, start: (...parts: readonly string[]) => startTriton({ parts }) }]),
];
