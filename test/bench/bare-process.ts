import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A reference that runs in a process of its own. Disposing ends it. */
export interface BareProcess extends AsyncDisposable {
  /** What it said when it was ready. */
  readonly hello: unknown;
  /** Sends it a number and resolves when it answers; rejects when it ends instead. */
  ask(count: number): Promise<void>;
}

/** Starts a script of this folder and resolves when it says that it is ready. */
export async function startBareProcess(script: string, args: readonly string[]): Promise<BareProcess> {
  const child = fork(new URL(script, import.meta.url), args, { execArgv: [] });
  const exited = once(child, 'exit');
  const answer = async (): Promise<unknown> => {
    const ended = exited.then(() => Promise.reject(new Error(`${script} has ended.`)));
    const [said] = await Promise.race([once(child, 'message'), ended]);
    return said;
  };
  const hello = await answer();
  return {
    hello,
    async ask(count) {
      child.send(count);
      await answer();
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
