import type { Doorbell } from '../../domains/generation/index.ts';
import type { Listener } from '../../platform/db/index.ts';
import { splitIds } from './payload.ts';

/** Hears rings over LISTEN. A connection that was lost rings everywhere once it is back. */
export function createDoorbell(listener: Listener): Doorbell {
  return {
    onRing(channel, onRing) {
      let isOver = false;
      const listening = listener.listen(channel, (payload) => {
        if (isOver) return;
        for (const id of splitIds(payload)) onRing(id);
      });
      const stops = [listener.onReconnect(() => onRing(null))];
      void listening.then((stop) => {
        if (isOver) return stop();
        stops.push(stop);
        // What was rung before LISTEN took effect is looked for once.
        onRing(null);
      });
      return () => {
        isOver = true;
        for (const stop of stops) stop();
      };
    },
  };
}
