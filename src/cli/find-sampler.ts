import type {
  Client,
  SamplerOptionsInput,
  Scheduler,
  SchedulerName,
  SigmaSchedule,
} from '../client/index.ts';
import { CommandError } from './output.ts';
import { nearest } from './nearest.ts';

/** What a name of a scheduler stands for: the scheduler, and of an A1111 name what goes with it. */
export interface Sampler {
  readonly scheduler: SchedulerName;
  readonly sigmaSchedule?: SigmaSchedule;
  readonly samplerOptions?: SamplerOptionsInput;
}

/**
 * Asks the API what `name` stands for: a name of the API, a class of diffusers or a sampler of AUTOMATIC1111's web
 * UI, in any case and however its words are joined. Throws a `CommandError` with the nearest names for any other.
 */
export async function findSampler(name: string, client: Pick<Client, 'schedulers'>): Promise<Sampler> {
  const spellings = (await client.schedulers()).flatMap(spellingsOf);
  const wanted = fold(name);
  const found = spellings.find(({ text }) => fold(text) === wanted);
  if (found) return found.sampler;
  const close = nearest(
    wanted,
    spellings.map(({ text }) => text),
    fold,
  );
  throw new CommandError(
    `No scheduler is called ${JSON.stringify(name)}. Near it are ${close.join(', ')}; \`darkroom schedulers\` lists all.`,
  );
}

interface Spelling {
  readonly text: string;
  readonly sampler: Sampler;
}

function spellingsOf({ name, diffusersClass, aliases }: Scheduler): readonly Spelling[] {
  return [
    { text: name.toLowerCase().replaceAll('_', '-'), sampler: { scheduler: name } },
    { text: diffusersClass, sampler: { scheduler: name } },
    ...aliases.map(({ name: text, sigmaSchedule, samplerOptions }) => ({
      text,
      sampler: { scheduler: name, sigmaSchedule, samplerOptions },
    })),
  ];
}

/** The plus signs stay: "DPM++ 2M" and "DPM 2M" would be two samplers. */
function fold(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9+]/g, '')
    .replace(/(?<=.)scheduler$/, '');
}
