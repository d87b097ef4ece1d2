import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Tool {
  /** Path of the program's script below `node_modules`; it runs on this process's Node. */
  readonly script: string;
  readonly args: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Writes straight to this process's output instead of keeping it for the result. */
  readonly show?: boolean;
}

export interface ToolResult {
  readonly ok: boolean;
  /** What it wrote, both streams in order. */
  readonly output: string;
  readonly elapsedMs: number;
}

/**
 * Runs a tool in the repository's root and resolves when it ends, also when it fails. Rejects when
 * `signal` fires, which ends the tool.
 */
export async function runTool(tool: Tool, signal: AbortSignal): Promise<ToolResult> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [join(ROOT, 'node_modules', tool.script), ...tool.args], {
    cwd: ROOT,
    env: { ...process.env, ...tool.env },
    stdio: tool.show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const written: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => written.push(chunk));
  }
  const [code] = await once(child, 'close');
  return {
    ok: code === 0,
    output: Buffer.concat(written).toString(),
    elapsedMs: performance.now() - startedMs,
  };
}
