/** Debian's installer as it starts over a network: up to its first question. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Machine } from '../../src/mod.ts';
import { Workplace } from '../guests/images.ts';
import { runViv } from '../guests/session.ts';
import { filesOf, orSkip } from './packages.ts';
import { screenShows } from './screen.ts';

const PATIENCE_SECONDS = 900;
/** With less it begins with a word about low memory. */
const MEMORY = '1G';
const FOLDER = 'usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const FIRST_QUESTION = /Choose the language to be used for the installation/;

const MENU = `set timeout=0
menuentry "Install" {
  linux /linux vga=normal fb=false nomodeset mitigations=off
  initrd /initrd.gz
}
`;

const missing = ['grub-mkrescue', 'xorriso', 'mformat'].find(
  (program) => spawnSync(program, ['--version']).error !== undefined,
);

describe("Debian's installer", { timeout: 2 * 1000 * PATIENCE_SECONDS }, async () => {
  const place = new Workplace();
  after(() => place[Symbol.dispose]());
  const { value, skip } = await orSkip(async () => {
    const pattern = new RegExp(`^${FOLDER}/(linux|initrd\\.gz)$`);
    const files = await filesOf('debian-installer-12-netboot-amd64', pattern);
    const save = (name: string): string => {
      const data = files.get(`${FOLDER}/${name}`);
      assert.ok(data, `the package has no ${name}`);
      return write(join(place.path, 'disc', name), data);
    };
    return { kernel: save('linux'), initrd: save('initrd.gz') };
  });

  test('asks its first question on the serial line', { skip }, async () => {
    const { kernel, initrd } = value!;
    await using viv = runViv([
      ...['--kernel', kernel, '--initrd', initrd, '--memory', MEMORY],
      ...['--cmdline', 'console=ttyS0 mitigations=off'],
    ]);
    await viv.expect(FIRST_QUESTION, PATIENCE_SECONDS);
  });

  const cannotMake = missing === undefined ? skip : `this host has no ${missing}`;
  test('asks it on the screen of a machine with a BIOS', { skip: cannotMake }, async () => {
    const folder = 'usr/lib/grub/i386-pc/';
    for (const [path, data] of await filesOf('grub-pc-bin', new RegExp(`^${folder}`))) {
      write(join(place.path, 'grub', path), data);
    }
    write(join(place.path, 'disc/boot/grub/grub.cfg'), MENU);
    const cdrom = join(place.path, 'installer.iso');
    const [modules, tree] = [join(place.path, 'grub', folder), join(place.path, 'disc')];
    const made = spawnSync('grub-mkrescue', ['-d', modules, '-o', cdrom, tree]);
    assert.equal(made.status, 0, String(made.stderr));
    await using machine = await Machine.create({ cdrom, memory: MEMORY });
    await machine.start();
    const screen = await screenShows(machine, FIRST_QUESTION, PATIENCE_SECONDS);
    assert.match(screen, /┌.*Select a language.*┐/);
    // The keyboard is the guest's own driver's now.
    await machine.type('<down>');
    await machine.type('<tab>');
    await screenShows(machine, /<Go Back>/, PATIENCE_SECONDS);
  });
});

function write(path: string, data: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
  return path;
}
