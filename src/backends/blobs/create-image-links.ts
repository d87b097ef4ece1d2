import type { ImageLinks } from '../../domains/generation/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ObjectStore } from '../../platform/objects/index.ts';

export interface ImageLinksDeps {
  readonly objects: Pick<ObjectStore, 'signGet'>;
  readonly clock: Clock;
  /** How long a link works; five minutes by default, at most seven days. */
  readonly linkSeconds?: number;
}

// Made anew whenever a picture is shown, so it need not outlive a page or a download's start.
const LINK_SECONDS = 300;

/** Links that save the picture under its name: a browser never renders what a tenant made in our name. */
export function createImageLinks({ objects, clock, linkSeconds = LINK_SECONDS }: ImageLinksDeps): ImageLinks {
  return {
    async link(objectKey, { filename }) {
      // Whole seconds, as the signature counts: the link never dies before the time it names.
      const expiresAt = new Date((Math.floor(clock.nowMs() / 1000) + linkSeconds) * 1000);
      return {
        url: await objects.signGet(objectKey, { expiresAt, filename, disposition: 'attachment' }),
        expiresAt,
      };
    },
  };
}
