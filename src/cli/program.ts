import { Command, CommanderError } from 'commander';
import { prepareMachineThread } from '../platform/node/thread/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { addDiskCommand } from './disk/command.ts';
import { addGuestCommands } from './guest/command.ts';
import { addImageCommand } from './image-build/command.ts';
import { addMachineCommands } from './machines/command.ts';
import { say } from './messages.ts';
import type { RunSettings } from './run.ts';
import { addRunOptions, notYet, type RunOptions, refuseLaterOptions } from './run-options.ts';
import { version } from './version.ts';

const runHelp = `
Without IMAGE and --kernel, a small Linux is booted: Debian's own kernel and busybox, fetched once.
On a terminal every key goes to the guest; Ctrl-] twice, or ~. at the start of a line, leaves.

Exit codes: 0 the guest powered off, its own code with --debug-exit, 124 on --timeout,
1 something to mend (said in one sentence), 3 the guest's processor stopped on a triple fault,
70 a fault of Vivarium (with a dump file).`;

/** What calls for completion: its commands, and the list of all commands. */
const COMPLETION = /^(completion|complete|-.*)$/;

/** Commands that the command line reserves for later. */
const laterCommands = 'snapshot clone migrate'.split(' ');

/** Parses the command line and does what it says; returns the exit code. */
export async function runProgram(arguments_: string[], settings: RunSettings): Promise<number> {
  let code = 0;
  const program = new Command('viv')
    .description('Virtual x86-64 machines in TypeScript')
    .version(version(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      outputError: (message) =>
        say(
          message
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' '),
        ),
    });
  const runCommand = program
    .command('run')
    .description('run a machine on this terminal')
    .argument('[image]', 'a kernel, or the disk image of a system')
    .addHelpText('after', runHelp);
  addRunOptions(runCommand).action(async (image: string | undefined, given: RunOptions) => {
    refuseLaterOptions(runCommand);
    if (image !== undefined && given.kernel !== undefined) {
      throw new VivariumError('option-invalid', 'name either IMAGE or --kernel, not both');
    }
    if (given.detach !== true) prepareMachineThread();
    // What follows needs the whole machine; other commands start faster without it.
    const [{ optionsOfImage }, { run }] = await Promise.all([
      import('./image.ts'),
      import('./run.ts'),
    ]);
    const hasNet = runCommand.getOptionValueSource('net') !== 'default';
    const options = image === undefined ? given : await optionsOfImage(image, { given, hasNet });
    code = await run(options, settings);
  });
  addMachineCommands(program, (ending) => {
    code = ending;
  });
  addGuestCommands(program, (ending) => {
    code = ending;
  });
  addImageCommand(program, (ending) => {
    code = ending;
  });
  program
    .command('doctor')
    .description('tell what this host can do, and what to do about what it cannot')
    .option('--json', 'as JSON', false)
    .action(async (options: { json: boolean }) => {
      code = await (await import('./doctor/doctor.ts')).examine(options);
    });
  addDiskCommand(program);
  // Other commands start faster without it; it looks at all that were added before.
  if (COMPLETION.test(arguments_[0] ?? '-')) {
    (await import('./completion.ts')).addCompletion(program);
  }
  for (const name of laterCommands) addLaterCommand(program, name);
  try {
    await program.parseAsync(arguments_, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}

function addLaterCommand(program: Command, name: string): void {
  program
    .command(name, { hidden: true })
    .argument('[rest...]')
    .allowUnknownOption()
    .action(() => {
      throw notYet(`the command ${name} is`);
    });
}
