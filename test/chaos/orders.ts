import type { JobSubmitInput } from '../../src/client/index.ts';
import type { Seeded } from './seeded.ts';

/** One job that a client wants, and what it does around it. */
export interface Order {
  readonly index: number;
  /** Which of the tenants. */
  readonly tenant: number;
  /** Which of the pictures of the run: orders for the same one differ in nothing that decides pixels. */
  readonly picture: number;
  readonly input: JobSubmitInput;
  /** Submitted a second time with the same key once it was answered. */
  readonly isRepeated: boolean;
  /** When the client changes its mind, from the submit on; null: never. */
  readonly cancelAfterMs: number | null;
  /** In what share of the events its reader leaves and goes on elsewhere. */
  readonly restlessness: number;
  /** How long the client waits before the next order. */
  readonly restMs: number;
}

const PROMPTS = ['a red apple, blue background', 'a green leaf', 'a yellow star', 'a blue fish'];

/** The settings of the pictures that a run draws again and again, so that equal ones can be compared. */
export function choosePictures(
  seeded: Seeded,
  { count, variantIds }: { readonly count: number; readonly variantIds: readonly string[] },
): readonly JobSubmitInput[] {
  return Array.from({ length: count }, (_, index) => ({
    prompt: seeded.pick(PROMPTS),
    variantId: variantIds[index % variantIds.length] ?? null,
    steps: seeded.between(2, 8),
    seed: `${seeded.between(0, 1_000_000)}`,
    imageCount: seeded.pick([1, 1, 1, 2, 3]),
    scheduler: seeded.pick(['EULER_DISCRETE', 'DPM_SOLVER_MULTISTEP'] as const),
    sigmaSchedule: seeded.pick(['DEFAULT', 'KARRAS'] as const),
    guidanceScale: seeded.pick([1, 4, 7.5]),
    previewEverySteps: seeded.pick([0, 0, 1, 3]),
    outputFormat: seeded.pick(['PNG', 'PNG', 'PNG', 'WEBP'] as const),
  }));
}

export function chooseOrder(
  seeded: Seeded,
  { index, tenants, pictures }: { index: number; tenants: number; pictures: readonly JobSubmitInput[] },
): Order {
  const picture = seeded.between(0, pictures.length - 1);
  const input = pictures[picture];
  if (input === undefined) throw new RangeError('There are no pictures to order.');
  return {
    index,
    tenant: seeded.between(0, tenants - 1),
    picture,
    input: { ...input, idempotencyKey: `order-${index}` },
    isRepeated: seeded.isLucky(0.2),
    cancelAfterMs: seeded.isLucky(0.2) ? seeded.between(0, 2_000) : null,
    restlessness: seeded.isLucky(0.3) ? 0.2 : 0,
    restMs: seeded.between(0, 600),
  };
}
