import type { Part, Rows, Tensor } from './engines.ts';
import { EngineError } from './engines.ts';
import { rowCount, sliceRows, stackRows } from './rows.ts';
import type { Run } from './run.ts';

/** What a run wants of one part. */
export interface PartCall {
  readonly part: string;
  /** The one output that is wanted. */
  readonly output: string;
  /** True for an evaluation of the U-Net. */
  readonly isEvaluation?: boolean;
  /** True: asked for until the end even when the job was cancelled or is to be given back. */
  readonly isWantedAnyway?: boolean;
}

/**
 * Calls one part for a run, beside other jobs' rows and in as few calls as the engine's batch limit allows,
 * and returns the one output named.
 */
export async function inferPart(run: Run, call: PartCall, rows: Rows): Promise<Tensor> {
  const ask = { ...limitsOf(run, call), isEvaluation: call.isEvaluation ?? false };
  const withdrawn = call.isWantedAnyway ? run.lost.signal : run.stopped.signal;
  // It failed with an engine, or something died under it, before. If that was its own doing, it shall not take
  // others along again.
  const asker = {
    owner: run,
    isAlone: run.job.attempts > 0 || run.job.recoveries > 0,
    withdrawn,
    lost: run.lost.signal,
  };
  const answers = await askInChunks(chunksOf(rows, ask.rowsMax), withdrawn, (chunk, until) =>
    run.node.lanes.ask(ask, chunk, { ...asker, withdrawn: until }),
  );
  const tensor = stackRows(answers)[call.output];
  if (tensor) return tensor;
  throw new EngineError('BAD_ANSWER', `${ask.part.model} answered without ${call.output}.`, {
    fault: 'node',
  });
}

/** Asks for all chunks at once; when one fails, those that still wait are taken back. */
async function askInChunks(
  chunks: readonly Rows[],
  withdrawn: AbortSignal,
  ask: (chunk: Rows, withdrawn: AbortSignal) => Promise<Rows>,
): Promise<readonly Rows[]> {
  const [only, ...others] = chunks;
  if (only && others.length === 0) return [await ask(only, withdrawn)];
  const failed = new AbortController();
  const until = AbortSignal.any([withdrawn, failed.signal]);
  return Promise.all(
    chunks.map((chunk) =>
      ask(chunk, until).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
}

function limitsOf(run: Run, call: PartCall) {
  const { name, version, parts } = run.version.manifest;
  const outputs = parts[call.part]?.outputs.filter((output) => output.name === call.output) ?? [];
  const part: Part = { model: `${name}.${call.part}`, version: `${version}`, outputs };
  const limits = run.engine.parts.get(call.part);
  if (!limits || outputs.length === 0) {
    throw new EngineError('NOT_LOADED', `${run.node.node.name} does not serve ${part.model}.`, {
      fault: 'node',
    });
  }
  return { part, ...limits };
}

function chunksOf(rows: Rows, rowsMax: number): readonly Rows[] {
  const count = rowCount(rows);
  if (count <= rowsMax) return [rows];
  const starts = Array.from({ length: Math.ceil(count / rowsMax) }, (_, index) => index * rowsMax);
  return starts.map((start) => sliceRows(rows, start, Math.min(count, start + rowsMax)));
}
