/**
 * Runs `work` with a signal that fires on Ctrl-C or SIGTERM, and sets this process's exit status:
 * 0 when `work` says that all is well, 1 when not, 130 when it was stopped.
 */
export async function untilSignal(work: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  try {
    process.exitCode = (await work(stop.signal)) ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = 130;
  }
}
