import type { Timing } from './timing.ts';

/** Tells a connection that has died without a word by a ping that is not answered. */
export interface PongWatch {
  /** A ping was sent. */
  pinged(): void;
  /** An answer came. */
  ponged(): void;
  /** From now on nothing is read, and so no answer heard: that proves nothing. */
  pause(): void;
  /** Reading goes on, and an answer that is still due has all its time again. */
  resume(): void;
  stop(): void;
}

const PONG_WITHIN_MS = 10_000;

/** Calls `onSilence` when an answer is late. */
export function watchPongs(timing: Timing, onSilence: () => void): PongWatch {
  let wait = new AbortController();
  let isDue = false;
  let isPaused = false;
  const expectAnswer = () => {
    if (!isDue || isPaused) return;
    wait = new AbortController();
    void timing.sleep(PONG_WITHIN_MS, wait.signal).then(onSilence, () => undefined);
  };
  return {
    pinged() {
      isDue = true;
      expectAnswer();
    },
    ponged() {
      isDue = false;
      wait.abort();
    },
    pause() {
      isPaused = true;
      wait.abort();
    },
    resume() {
      isPaused = false;
      expectAnswer();
    },
    stop() {
      isDue = false;
      wait.abort();
    },
  };
}
