import { createHash } from 'node:crypto';
import type { EngineRecord } from '../domains/fleet/index.ts';
import { engineKeyOf } from '../domains/generation/index.ts';
import type { NodeReport, ServedModel } from './node-connector.ts';

/** One variant version as a node serves it: what its parts can take. */
export interface NodeEngine {
  readonly model: string;
  readonly version: number;
  /** By the part's name. */
  readonly parts: ReadonlyMap<string, PartLimits>;
  /** U-Net rows that can be in calls at the same time: what the node is given work for. */
  readonly rowsMax: number;
}

export interface PartLimits {
  /** Rows per call. */
  readonly rowsMax: number;
  /** Calls that run at the same time. */
  readonly instances: number;
}

const SERVED_NAME = /^(?<model>.+)\.(?<part>[a-z0-9_]+)$/;
const UNET = /^unet(_cfg)?$/;

// What every job calls besides. A node that is still loading lists what it has so far.
const NEEDED = [/^text_encoder/, UNET, /^vae_decoder$/];

// Diffusion is bound by arithmetic almost at once: beyond this many rows a call takes longer by as much as
// it carries more, and every job in it waits for that (A100, SD1.5: 8 rows bring 1.37 times one row's rate).
const CALL_ROWS_MAX = 8;

/** Groups a node's models `<variant>.<part>` by variant and version; what is named otherwise is not ours. */
export function toNodeEngines({ models }: NodeReport): ReadonlyMap<string, NodeEngine> {
  const named = models.flatMap((served) => {
    const { model, part } = SERVED_NAME.exec(served.name)?.groups ?? {};
    return model !== undefined && part !== undefined ? [{ served, model, part }] : [];
  });
  const groups = Map.groupBy(named, ({ model, served }) => engineKeyOf(model, Number(served.version)));
  return new Map(
    [...groups].flatMap(([key, parts]) => {
      const unets = parts.filter(({ part }) => UNET.test(part));
      const [first] = parts;
      if (!first || !NEEDED.every((name) => parts.some(({ part }) => name.test(part)))) return [];
      const engine: NodeEngine = {
        model: first.model,
        version: Number(first.served.version),
        parts: new Map(parts.map(({ part, served }) => [part, limitsOf(served)])),
        rowsMax: Math.min(
          ...unets.map(({ served }) => limitsOf(served)).map(({ rowsMax, instances }) => rowsMax * instances),
        ),
      };
      return [[key, engine] as const];
    }),
  );
}

function limitsOf({ maxBatch, instances }: ServedModel): PartLimits {
  return { rowsMax: Math.min(maxBatch, CALL_ROWS_MAX), instances };
}

/** What the fleet records of a node: one row per variant version. */
export function toEngineRecords(
  report: NodeReport,
  engines: ReadonlyMap<string, NodeEngine>,
): readonly Omit<EngineRecord, 'id'>[] {
  return [...engines.values()].map((engine) => ({
    model: engine.model,
    version: engine.version,
    fingerprint: fingerprintOf(report, engine),
    parts: [...engine.parts.keys()].toSorted(),
    instances: Math.min(...[...engine.parts.values()].map(({ instances }) => instances)),
    batchMax: Math.min(...[...engine.parts.values()].map(({ rowsMax }) => rowsMax)),
  }));
}

/** The server, its version, and the models as it serves them: two engines that agree here answer alike. */
function fingerprintOf({ server, version, models }: NodeReport, engine: NodeEngine): string {
  const served = models
    .filter(({ name }) => name.startsWith(`${engine.model}.`))
    .map((model: ServedModel) => [model.name, model.version, model.maxBatch]);
  return createHash('sha256')
    .update(JSON.stringify([server, version, served.toSorted()]))
    .digest('hex');
}
