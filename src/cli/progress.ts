import { SingleBar } from 'cli-progress';
import type { Output } from './host.ts';

/** Shows how far a piece of work is. */
export interface Progress extends Disposable {
  /** `done` of `total` parts, and in a word or two what is going on. Cheap to call often. */
  report(done: number, total: number, what: string): void;
  /** In a word or two what keeps it from going on. The count stays where it is. */
  stall(why: string): void;
}

const LINE_EVERY_PERCENT = 10;

const silent: Progress = {
  report: () => undefined,
  stall: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/**
 * A bar where a person is looking, a line every ten per cent where the output goes to a file, and
 * nothing at all when `quiet`. Disposing it gives the line back.
 */
export function createProgress(stderr: Output, { quiet }: { readonly quiet: boolean }): Progress {
  if (quiet) return silent;
  return stderr.isTTY === true ? createBar(stderr) : createLines(stderr);
}

function createBar(stderr: Output): Progress {
  const bar = new SingleBar({
    stream: stderr,
    format: '{bar} {percentage}% {value}/{total} {what}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    fps: 15,
  });
  let isStarted = false;
  return {
    report(done, total, what) {
      if (!isStarted) bar.start(total, done, { what });
      isStarted = true;
      bar.setTotal(total);
      bar.update(done, { what });
    },
    stall(why) {
      if (isStarted) bar.update({ what: why });
    },
    [Symbol.dispose]() {
      if (isStarted) bar.stop();
    },
  };
}

function createLines(stderr: Output): Progress {
  let last = { tenth: -1, what: '' };
  let stalled = '';
  return {
    report(done, total, what) {
      stalled = '';
      const percent = total > 0 ? Math.floor((done / total) * 100) : 0;
      const tenth = Math.floor(percent / LINE_EVERY_PERCENT);
      if (tenth === last.tenth && what === last.what) return;
      last = { tenth, what };
      stderr.write(`${what}: ${done}/${total} (${percent} %)\n`);
    },
    // Once, however often it is told: a connection is tried again every few seconds.
    stall(why) {
      if (why !== stalled) stderr.write(`${why}\n`);
      stalled = why;
    },
    [Symbol.dispose]: () => undefined,
  };
}
