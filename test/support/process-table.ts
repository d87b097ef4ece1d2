import { readdir, readFile, readlink } from 'node:fs/promises';

/** One process of this machine; its start tells it from a later one that was given the same number. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly startedTicks: string;
  readonly command: string;
}

/** The process and everything that it started, and what that started, as long as each parent lives. */
export async function familyOf(pid: number): Promise<readonly Process[]> {
  const all = await readProcesses();
  const family = all.filter((each) => each.pid === pid);
  for (const member of family) family.push(...all.filter(({ parent }) => parent === member.pid));
  return family;
}

/** Commands of those that still run. */
export async function survivorsOf(family: readonly Process[]): Promise<readonly string[]> {
  const all = await readProcesses();
  const isSame = (one: Process) => (other: Process) =>
    one.pid === other.pid && one.startedTicks === other.startedTicks;
  return family.filter((member) => all.some(isSame(member))).map(({ command }) => command);
}

/** Commands of the processes that name `folder` or something in it, or that run there. */
export async function processesIn(folder: string): Promise<readonly string[]> {
  const all = await readProcesses();
  const places = await Promise.all(all.map(({ pid }) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return all
    .filter(({ command }, index) => command.includes(folder) || places[index]?.startsWith(folder))
    .map(({ command }) => command);
}

async function readProcesses(): Promise<readonly Process[]> {
  const names = await readdir('/proc');
  const read = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return read.filter((each) => each !== null);
}

// Null for one that has ended meanwhile, and for a zombie: whether somebody reaps it is up to the machine.
async function readProcess(name: string): Promise<Process | null> {
  try {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8');
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8');
    // The fields after the program's name, which may hold anything; see proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    return {
      pid: Number(name),
      parent: Number(fields[1]),
      startedTicks: fields[19] ?? '',
      command: command.replaceAll('\0', ' ').trim(),
    };
  } catch {
    return null;
  }
}
