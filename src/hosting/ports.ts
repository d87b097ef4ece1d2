import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { findLastingPort, isPortFree } from '../platform/process/index.ts';
import type { DataFolder } from './data-folder.ts';

const NAME = 'ports.json';

const portsFile = z.object({
  postgres: z.int().positive().optional(),
  node: z.int().positive().optional(),
});

export type HostedServer = 'postgres' | 'node';

/** The ports that what a data folder hosts comes back under, so that others find it where it was. */
export interface Ports {
  /** The port of the last time when it is free, or gets free soon; otherwise another, from now on. */
  take(server: HostedServer): Promise<number>;
}

export interface PortsDeps {
  readonly clock: Clock;
  readonly random: Random;
}

// What a guardian takes to end the servers of a host that was killed, and a little more.
const WAIT_MS = 7_000;
const POLL_MS = 50;

/** Opens the remembered ports of a folder that this process has taken. */
export async function openPorts(folder: DataFolder, deps: PortsDeps): Promise<Ports> {
  const ports = await read(folder.at(NAME));
  return {
    async take(server) {
      const known = ports[server];
      if (known !== undefined && (await getsFree(known, deps.clock))) return known;
      const port = await findLastingPort(deps.random);
      ports[server] = port;
      await write(folder.at(NAME), ports);
      return port;
    },
  };
}

type PortsFile = z.infer<typeof portsFile>;

// One that cannot be read is as good as none: the ports are chosen anew.
async function read(file: string): Promise<PortsFile> {
  try {
    return portsFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return {};
  }
}

async function write(file: string, ports: PortsFile): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(ports)}\n`, { mode: 0o600 });
  await rename(draft, file);
}

async function getsFree(port: number, clock: Clock): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + WAIT_MS;
  for (;;) {
    if (await isPortFree(port)) return true;
    if (clock.monotonicMs() >= deadlineMs) return false;
    await clock.sleep(POLL_MS);
  }
}
