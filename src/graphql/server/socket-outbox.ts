import type { WebSocket } from 'ws';
import type { SocketMeter } from './socket-meter.ts';

/** What is on its way to one client. What it may hold is bounded, whatever the client does. */
export interface Outbox {
  /** Resolves once the kernel has taken the text, so that a slow reader slows its own streams down. */
  send(text: string): Promise<void>;
  /** Gives back the room of an event that is not sent after all. */
  giveBack(): void;
  /** Resolves when one more event may be sent; first come, first served. */
  room(): Promise<void>;
  /** Cuts the client off when it leaves more unread than it may. */
  cutOffIfFull(): void;
  /** Whether events are waiting for room and none has left since the last call. */
  isStuck(): boolean;
}

// What a client that does not read may hold of our memory before it is cut off.
const BUFFERED_BYTES_MAX = 1024 * 1024;
// Events wait from here on. The other half is for what the client itself makes the server say.
const EVENT_ROOM_BYTES = BUFFERED_BYTES_MAX / 2;
// A preview has 16,000 characters at most, and little stands around it. Counted for every event that
// has been given room and is not written yet.
const EVENT_BYTES = 20_000;

export function createOutbox(socket: WebSocket, meter: SocketMeter): Outbox {
  const waiting: (() => void)[] = [];
  let admitted = 0;
  let haveSomeLeft = true;

  const hasRoom = () => socket.bufferedAmount + admitted * EVENT_BYTES < EVENT_ROOM_BYTES;
  const admit = () => {
    admitted += 1;
    waiting.shift()?.();
  };
  const admitWaiting = () => {
    while (waiting.length > 0 && (hasRoom() || socket.readyState !== socket.OPEN)) admit();
  };
  const isFull = (moreBytes: number) => socket.bufferedAmount + moreBytes > BUFFERED_BYTES_MAX;
  socket.once('close', admitWaiting);

  return {
    giveBack() {
      admitted = Math.max(0, admitted - 1);
      admitWaiting();
    },
    send(text) {
      admitted = Math.max(0, admitted - 1);
      if (socket.readyState !== socket.OPEN) return Promise.resolve();
      if (isFull(text.length)) {
        socket.terminate();
        return Promise.resolve();
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      // An error means that the socket is closing, and its `close` ends the streams.
      socket.send(text, () => {
        haveSomeLeft = true;
        admitWaiting();
        resolve();
      });
      meter.noteBuffered(socket.bufferedAmount);
      return promise;
    },
    async room() {
      if (socket.readyState !== socket.OPEN) return;
      if (waiting.length === 0 && hasRoom()) {
        admitted += 1;
        return;
      }
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    },
    cutOffIfFull() {
      if (isFull(0)) socket.terminate();
    },
    isStuck() {
      const isStuck = waiting.length > 0 && !haveSomeLeft;
      haveSomeLeft = false;
      return isStuck;
    },
  };
}
