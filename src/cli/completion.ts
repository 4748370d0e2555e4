/** Completion of the command line in shells: `viv completion bash|zsh|fish` prints the script. */
import { readdirSync } from 'node:fs';
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { defaultRegistryDirectory } from '../daemon/mod.ts';

const help = `
For bash: source <(viv completion bash); for zsh: source <(viv completion zsh);
for fish: viv completion fish | source. In the shell's start-up file the line works in every shell.`;

/** Arguments that are machines; others are files, which shells complete by themselves. */
const MACHINE_ARGUMENTS: readonly string[] = ['machine', 'machines'];

/** Adds the commands that print the script and that the script calls. All others must be there. */
export function addCompletion(program: Command): void {
  const root = tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print a script for a shell that completes the command line')
    .addHelpText('after', help);
  for (const command of root.commands.values()) {
    // A suggestion is one line.
    for (const option of command.options.values()) {
      option.description = option.description.split('\n')[0] ?? '';
    }
    for (const name of MACHINE_ARGUMENTS) {
      const argument = command.arguments.get(name);
      if (argument === undefined) continue;
      argument.handler = (complete) => {
        for (const machine of machineNames()) complete(machine, 'machine');
      };
    }
  }
}

/** Names of machines, without asking whether they still run: a key press does not wait for that. */
function machineNames(): string[] {
  try {
    return readdirSync(defaultRegistryDirectory()).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}
