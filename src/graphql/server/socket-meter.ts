/** What the sockets of one process cost and carry. */
export interface SocketFigures {
  /** Open now, greeted or not. */
  readonly sockets: number;
  /** The most bytes that were ever held for one client that had not taken them yet, since the start. */
  readonly socketBufferBytesMax: number;
  /** Events sent since the start, each counted once per subscription. */
  readonly eventsDelivered: number;
}

/** Keeps the figures of the sockets in `open`. */
export interface SocketMeter {
  /** Tells what one socket holds unsent right now. */
  noteBuffered(bytes: number): void;
  noteDelivered(): void;
  figures(): SocketFigures;
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
