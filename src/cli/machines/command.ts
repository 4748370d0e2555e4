import { type Command, InvalidArgumentError } from 'commander';

/** Adds the commands about machines that were started before. What they do is loaded when one runs. */
export function addMachineCommands(program: Command, exitCode: (code: number) => void): void {
  program
    .command('ls')
    .description('list the machines of this user')
    .option('--json', 'as JSON', false)
    .option('-q, --quiet', 'names alone', false)
    .action(async (options) => (await import('./ls.ts')).listMachines(options));
  program
    .command('inspect')
    .description('tell everything about a machine, as JSON')
    .argument('<machine>')
    .action(async (name: string) => (await import('./inspect.ts')).inspectMachine(name));
  program
    .command('logs')
    .description('print what a machine in the background has printed')
    .argument('<machine>')
    .option('-f, --follow', 'and what it prints from now on', false)
    .option('-n, --tail <lines>', 'only so many lines from the end', wholeNumber)
    .option('--messages', 'what viv had to say about it instead', false)
    .action(async (name: string, options) => (await import('./logs.ts')).printLogs(name, options));
  program
    .command('attach')
    .alias('console')
    .description(
      "use a machine's console; Ctrl-] twice, or ~. at the start of a line, lets go of it",
    )
    .argument('<machine>')
    .action(async (name: string) => {
      exitCode(await (await import('./attach.ts')).attachMachine(name));
    });
  program
    .command('screenshot')
    .description("save a machine's screen as PNG; - is standard output, the default MACHINE.png")
    .argument('<machine>')
    .argument('[file]')
    .option('--text', 'print the text on the screen instead', false)
    .action(async (name: string, file: string | undefined, options) =>
      (await import('./screen.ts')).showMachineScreen(name, file, options),
    );
  program
    .command('type')
    .description(
      "type on a machine's keyboard: text, and keys like <enter>, <f12>, <up>, <ctrl-alt-delete>",
    )
    .argument('<machine>')
    .argument('<text>')
    .action(async (name: string, text: string) =>
      (await import('./screen.ts')).typeOnMachine(name, text),
    );
  program
    .command('stop')
    .description(
      'ask machines to shut down, as by their power button; after a while switch them off',
    )
    .argument('<machines...>')
    .option('-t, --timeout <seconds>', 'how long a guest may take', wholeNumber, 30)
    .option('--force', 'switch off at once', false)
    .action(async (names: string[], options) => {
      exitCode(await (await import('./stop.ts')).stopMachines(names, options));
    });
  program
    .command('rm')
    .description('forget machines that do not run any more, and their logs')
    .argument('<machines...>')
    .option('--force', 'switch off those that run', false)
    .action(async (names: string[], options) => {
      exitCode(await (await import('./rm.ts')).removeMachines(names, options));
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
