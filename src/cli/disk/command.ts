import type { Command } from 'commander';

const createHelp = `
SIZE is written like 20G or 512M. Without --format the name decides: .raw and .img are raw, all others
qcow2. A disk on another image (--backing) holds only what differs from it.`;

/** Adds `viv disk` and what is below it. What the commands do is loaded when one of them runs. */
export function addDiskCommand(program: Command): void {
  const disk = program
    .command('disk')
    .description('make, change and check disk images')
    .helpCommand(false);
  disk
    .command('create')
    .description('make an empty disk, or one that stands on another')
    .argument('<file>')
    .argument('[size]', 'with --backing, that of the image behind by default')
    .option('--format <format>', 'raw or qcow2')
    .option('--backing <file>', 'the image behind')
    .option('--backing-format <format>', 'its format, found out from it by default')
    .option('--cluster-size <size>', '512 to 2M; 64K by default')
    .addHelpText('after', createHelp)
    .action(async (path: string, size: string | undefined, options) => {
      (await import('./create.ts')).createDisk(path, size, options);
    });
  disk
    .command('resize')
    .description('change the capacity of a disk that no machine uses')
    .argument('<file>')
    .argument('<size>')
    .option('--format <format>', 'raw or qcow2, found out from the image by default')
    .option('--shrink', 'may cut off the end of the disk', false)
    .action(async (path: string, size: string, options) => {
      (await import('./resize.ts')).resizeDisk(path, size, options);
    });
  disk
    .command('convert')
    .description('copy a disk into a new image that stands on no other')
    .argument('<from>')
    .argument('<to>')
    .option('--from <format>', 'raw or qcow2, found out from the image by default')
    .option('--format <format>', 'format of the new image: raw or qcow2')
    .option('--cluster-size <size>', '512 to 2M; 64K by default')
    .option('--compress', 'compress the clusters (qcow2)', false)
    .option('--snapshot <name>', 'the disk as it was at an internal snapshot, by name or number')
    .action(async (from: string, to: string, options) => {
      (await import('./convert.ts')).convertDisk(from, to, options);
    });
  disk
    .command('info')
    .description('tell what an image is')
    .argument('<file>')
    .option('--format <format>', 'raw or qcow2, found out from the image by default')
    .option('--json', 'as JSON', false)
    .action(async (path: string, options) => {
      process.stdout.write((await import('./info.ts')).describeDisk(path, options));
    });
  disk
    .command('check')
    .description('look for faults in a qcow2 image')
    .argument('<file>')
    .option('--format <format>', 'raw or qcow2, found out from the image by default')
    .option('--repair', 'put right what can be put right without loss', false)
    .option('--json', 'as JSON', false)
    .action(async (path: string, options) => {
      const { checkDisk } = await import('./check.ts');
      checkDisk(path, options, (text) => process.stdout.write(text));
    });
}
