import { type Command, InvalidArgumentError } from 'commander';
import { VivariumError } from '../../util/mod.ts';

const WAIT_SECONDS = 120;

const execHelp = `
The guest is one of an image that viv image build made. The exit code is that of the command; options of
viv exec stand before MACHINE, everything behind it is the command's own; "--" may stand between.`;

const cpHelp = `
One of FROM and TO is MACHINE:PATH. Directories are copied with all that is in them; links, modes and
times are kept. As with cp, what is copied to a directory that exists goes into it.`;

/** Adds the commands that do something in a guest. */
export function addGuestCommands(program: Command, exitCode: (code: number) => void): void {
  // What follows the machine's name belongs to the command in the guest.
  program.enablePositionalOptions();
  program
    .command('exec')
    .description('run a command in a guest')
    .argument('<machine>')
    .argument('<command...>')
    .option('-t, --tty', 'give the command a terminal', false)
    .option('--no-stdin', 'give the command no input')
    .option('--wait <seconds>', 'how long a guest may take to start', seconds, WAIT_SECONDS)
    .passThroughOptions()
    .addHelpText('after', execHelp)
    .action(async (machine: string, command: string[], options) => {
      exitCode(await (await import('./exec.ts')).execInGuest(machine, commandOf(command), options));
    });
  program
    .command('shell')
    .description('open a shell in a guest')
    .argument('<machine>')
    .option('--wait <seconds>', 'how long a guest may take to start', seconds, WAIT_SECONDS)
    .action(async (machine: string, options) => {
      exitCode(await (await import('./exec.ts')).shellInGuest(machine, options));
    });
  program
    .command('cp')
    .description('copy files and directories into or out of a guest')
    .argument('<from>')
    .argument('<to>')
    .option('--wait <seconds>', 'how long a guest may take to start', seconds, WAIT_SECONDS)
    .addHelpText('after', cpHelp)
    .action(async (from: string, to: string, options) => {
      await (await import('./cp.ts')).copyWithGuest(from, to, options.wait);
    });
}

/** The words behind the machine's name, without the "--" that other tools want there. */
export function commandOf(words: readonly string[]): readonly string[] {
  const command = words[0] === '--' ? words.slice(1) : words;
  if (command.length === 0) throw new VivariumError('option-invalid', 'viv exec needs a command');
  return command;
}

function seconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.');
  return Number(text);
}
