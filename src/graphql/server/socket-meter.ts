import type { ApiFigures } from '../../domains/operations/index.ts';

/** Keeps the figures of the sockets in `open`. */
export interface SocketMeter {
  /** Tells what one socket holds unsent right now. */
  noteBuffered(bytes: number): void;
  noteDelivered(): void;
  figures(): ApiFigures;
}

export function createSocketMeter(open: ReadonlySet<unknown>): SocketMeter {
  let socketBufferBytesMax = 0;
  let eventsDelivered = 0;
  return {
    noteBuffered(bytes) {
      socketBufferBytesMax = Math.max(socketBufferBytesMax, bytes);
    },
    noteDelivered() {
      eventsDelivered += 1;
    },
    figures: () => ({ sockets: open.size, socketBufferBytesMax, eventsDelivered }),
  };
}
