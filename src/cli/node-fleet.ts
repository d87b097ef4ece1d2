import { Command } from 'commander';
import type { Operator } from '../app.ts';
import { StartError } from '../kernel/errors.ts';
import type { Host } from './host.ts';
import type { InstallationFlags } from './installation.ts';
import { addInstallationOptions, openInstallation } from './installation.ts';
import { interruptible } from './interruptible.ts';
import { printJson } from './output.ts';

interface FleetFlags extends InstallationFlags {
  readonly json?: boolean;
}

interface AddFlags extends FleetFlags {
  readonly name?: string;
  readonly force?: boolean;
}

/** `darkroom node add ADDRESS`: makes a node of somebody else's known to the platform. */
export function nodeAddCommand(host: Host): Command {
  return addInstallationOptions(new Command('add'))
    .description('let the platform use a node that speaks KServe v2, such as Triton')
    .argument('<address>', 'where it listens: grpc://host:port')
    .option('--name <name>', 'what it is called (default: its host and port)')
    .option('--force', 'add it even if it does not answer now')
    .option('--json', 'print one line of JSON: {name, address, models}')
    .action((given: string, flags: AddFlags) =>
      interruptible(host, async () => {
        const address = `grpc://${given.replace(/^grpc:\/\//, '')}`;
        const name = flags.name ?? address.replace(/^grpc:\/\//, '');
        const models = await modelsOf(host, address, flags);
        await using operator = await openInstallation(host, flags);
        await refuseHosted(operator, { name, address });
        await operator.fleet.add(name, address);
        if (flags.json) printJson(host.stdout, { name, address, models });
        else host.stdout.write(`${name} at ${address} serves ${models?.join(', ') || 'nothing yet'}.\n`);
        return 0;
      }),
    );
}

/** What the node serves; null when it does not answer and is to be added all the same. */
async function modelsOf(
  { stderr }: Host,
  address: string,
  { force }: AddFlags,
): Promise<readonly string[] | null> {
  const { probeNode } = await import('../app.ts');
  const probe = await probeNode(address);
  if (probe.isReady) return probe.models;
  if (!force)
    throw new StartError(`No node is ready at ${address} (${probe.reason}). --force adds it anyway.`);
  stderr.write(`darkroom: no node is ready at ${address} (${probe.reason})\n`);
  return null;
}

async function refuseHosted(
  { fleet }: Operator,
  node: { readonly name: string; readonly address: string },
): Promise<void> {
  const nodes = await fleet.list();
  const hosted = nodes.find(
    (each) => each.isHosted && (each.name === node.name || each.address === node.address),
  );
  if (hosted) {
    throw new StartError(`${hosted.name} at ${hosted.address} is known already: a platform process runs it.`);
  }
}

/** `darkroom node list`. */
export function nodeListCommand(host: Host): Command {
  return addInstallationOptions(new Command('list'))
    .description('show the nodes that the platform knows')
    .option(
      '--json',
      'print one line of JSON: an array of {name, address, state, isHosted, holder, engines, models}',
    )
    .action((flags: FleetFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        const nodes = await operator.fleet.list();
        if (flags.json) printJson(host.stdout, nodes);
        else
          for (const { name, address, state, engines, models } of nodes)
            host.stdout.write(`${name}  ${address}  ${state}  ${engines.join(', ')}  ${models.join(', ')}\n`);
        return 0;
      }),
    );
}

/** `darkroom node remove NAME`. */
export function nodeRemoveCommand(host: Host): Command {
  return addInstallationOptions(new Command('remove'))
    .description('let the platform use a node no longer; what runs there goes on elsewhere')
    .argument('<name>', 'what it is called')
    .option('--json', 'print one line of JSON: {name}')
    .action((name: string, flags: FleetFlags) =>
      interruptible(host, async () => {
        await using operator = await openInstallation(host, flags);
        if (!(await operator.fleet.remove(name))) throw new StartError(`There is no node ${name}.`);
        if (flags.json) printJson(host.stdout, { name });
        else host.stdout.write(`The platform uses ${name} no longer.\n`);
        return 0;
      }),
    );
}
