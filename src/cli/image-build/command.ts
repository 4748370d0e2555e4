import type { Command } from 'commander';

const buildHelp = `
The image is bootable: viv run IMAGE. Root logs in on the console without a password, and viv exec,
viv cp and viv shell enter over SSH with a key of this user's. mmdebstrap and e2fsprogs do the work, as
root or, where the host lets users have name spaces, as anybody.`;

/** What the command line says about an image to build. */
export interface BuildOptions {
  readonly output?: string;
  readonly packages: readonly string[];
  readonly size: string;
  readonly release: string;
  readonly mirror?: string;
  readonly hostname: string;
  readonly autologin: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

/** Adds `viv image` and what is below it. */
export function addImageCommand(program: Command, ended: (code: number) => void): void {
  const image = program
    .command('image')
    .description('make disk images of systems')
    .helpCommand(false);
  image
    .command('build')
    .description('build a disk image from packages')
    .argument('<distribution>', 'debian')
    .option(
      '--output <file>',
      'the image; .raw and .img are raw, others qcow2 (DISTRIBUTION.qcow2)',
    )
    .option('--packages <names>', 'further packages, with commas between; repeatable', addNames, [])
    .option('--size <size>', 'capacity of the disk', '4G')
    .option('--release <name>', 'which release', 'bookworm')
    .option('--mirror <url>', "where packages come from; this host's package sources by default")
    .option('--hostname <name>', 'what the guest calls itself', 'debian')
    .option('--autologin', 'root is logged in on the console', false)
    .option('--force', 'replace an image that is there', false)
    .option('--json', 'tell the result as JSON', false)
    .addHelpText('after', buildHelp)
    .action(async (distribution: string, options: BuildOptions) => {
      ended(await (await import('./build.ts')).buildImage(distribution, options));
    });
}

function addNames(text: string, names: readonly string[]): string[] {
  return [...names, ...text.split(',').filter((name) => name !== '')];
}
