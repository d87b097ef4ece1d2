import type { KserveClient } from '../../platform/kserve/index.ts';
import { toEngineError } from './engine-errors.ts';

/** Rejects with an `EngineError`, as `loadModel` does. */
export async function unloadModel(client: KserveClient, model: string, signal: AbortSignal): Promise<void> {
  try {
    await client.unloadModel(model, signal);
  } catch (error) {
    throw toEngineError(error, `The unloading of ${model} on ${client.address}`);
  }
}

/** Resolves once the model is ready. Right after its unloading is soon enough, though Triton may be at that still. */
export async function loadModel(client: KserveClient, model: string, signal: AbortSignal): Promise<void> {
  try {
    await client.loadModel(model, signal);
  } catch (error) {
    throw toEngineError(error, `The loading of ${model} on ${client.address}`);
  }
}
