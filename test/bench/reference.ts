import type { Figure } from './figures.ts';

/** What draws the same pictures as the platform, for its rate to be compared with. Disposing ends it. */
export interface Reference extends AsyncDisposable {
  readonly about: Pick<Figure, 'name' | 'reference' | 'aim'>;
  /** Draws so many pictures and resolves to how many it were per second. */
  draw(count: number): Promise<number>;
}
