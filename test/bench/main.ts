import { Command } from 'commander';
import type { Host } from '../../src/cli/host.ts';
import { processHost } from '../../src/cli/process-host.ts';
import { interruptible } from '../../src/cli/interruptible.ts';
import { printJson } from '../../src/cli/output.ts';
import type { Bench } from './bench.ts';
import { describe, describeMachine, machine } from './figures.ts';
import { benchKserve } from './kserve.ts';
import { benchPictures } from './pictures.ts';
import { benchServe } from './serve.ts';
import { benchStart } from './start.ts';

interface BenchFlags {
  readonly quick?: boolean;
  readonly json?: boolean;
}

function benchCommand(host: Host, bench: Bench): Command {
  return new Command()
    .option('--quick', 'two pairs and few pictures: shows that it works, no more')
    .option('--json', 'one line of JSON for the machine, then one for each figure')
    .action((flags: BenchFlags) =>
      interruptible(host, async (signal) => {
        const say = (text: string) => host.stderr.write(`bench: ${text}\n`);
        const print = (value: object, text: string) => {
          if (flags.json) printJson(host.stdout, value);
          else host.stdout.write(`${text}\n`);
        };
        const here = machine();
        print({ machine: here }, describeMachine(here));
        await bench({ isQuick: flags.quick ?? false, signal, say }, (figure) =>
          print(figure, describe(figure)),
        );
        return 0;
      }),
    );
}

// Nothing here is set by the environment, and the platform gets one of its own.
const host = processHost({});
const program = new Command('bench')
  .description(
    'Measures the platform, run by its own commands, against a reference on the same machine, in turns.',
  )
  .showHelpAfterError('Run with --help to see what there is.');
program.addCommand(
  benchCommand(host, benchServe)
    .name('serve')
    .description(
      'pictures per second of ten clients, against a bare ONNX Runtime loop and against diffusers, on PyTorch and on ONNX Runtime',
    ),
);
program.addCommand(
  benchCommand(host, benchStart)
    .name('start')
    .description('time to ready of a second start, and memory at rest, under load and after it'),
);
program.addCommand(
  benchCommand(host, benchKserve)
    .name('kserve')
    .description('calls of the KServe driver against bare gRPC, and health calls of a node at work'),
);
program.addCommand(
  benchCommand(host, benchPictures)
    .name('pictures')
    .description('good pictures that the picture check refuses, and wrong ones that it catches'),
);
await program.parseAsync();
