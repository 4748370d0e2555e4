/** GRUB's rescue disc under SeaBIOS and under OVMF: its menu, our keyboard, and Linux from it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Machine, screenPng } from '../../src/mod.ts';
import { obedientInitrd, stockBzImage, Workplace } from '../guests/images.ts';
import { filesOf, orSkip } from './packages.ts';
import { coloursOf, pictureShows, screenShows } from './screen.ts';

const PATIENCE_SECONDS = 400;

const MENU = `set timeout=-1
menuentry "Do nothing" { true }
menuentry "Linux in Vivarium" {
  linux /boot/linux console=ttyS0 quiet mitigations=off
  initrd /boot/initrd
}
`;

/** A disc that GRUB starts from, made with the files of one of its packages. */
async function makeDisc(
  place: Workplace,
  debianPackage: string,
  platform: string,
): Promise<string> {
  const folder = `usr/lib/grub/${platform}/`;
  for (const [path, data] of await filesOf(debianPackage, new RegExp(`^${folder}`))) {
    writeTo(join(place.path, 'grub', path), data);
  }
  const tree = join(place.path, 'tree');
  writeTo(join(tree, 'boot/linux'), await stockBzImage());
  writeTo(join(tree, 'boot/initrd'), await obedientInitrd());
  writeTo(join(tree, 'boot/grub/grub.cfg'), MENU);
  const disc = join(place.path, 'grub.iso');
  const modules = join(place.path, 'grub', folder);
  const { status, stderr } = spawnSync('grub-mkrescue', ['-d', modules, '-o', disc, tree], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return disc;
}

function writeTo(path: string, data: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
}

const programs = ['grub-mkrescue', 'xorriso', 'mformat'];
const missing = programs.find((program) => spawnSync(program, ['--version']).error !== undefined);
const cannotMake = missing === undefined ? false : `this host has no ${missing}`;

/** From Linux, which asks on the serial line, to its end. */
async function useLinux(machine: Machine, question: string, answer: RegExp): Promise<void> {
  assert.ok(await machine.console.waitFor('init here'));
  await machine.console.write(`${question}; echo done$((1+1))\n`);
  assert.match((await machine.console.waitFor('done2')) ?? '', answer);
  await machine.console.write('poweroff -f\n');
  assert.deepEqual(await machine.wait(), { kind: 'shutdown' });
}

describe('a rescue disc of GRUB', { skip: cannotMake, timeout: 1_800_000 }, async () => {
  const bios = new Workplace();
  const uefi = new Workplace();
  after(() => {
    bios[Symbol.dispose]();
    uefi[Symbol.dispose]();
  });

  const forBios = await orSkip(() => makeDisc(bios, 'grub-pc-bin', 'i386-pc'));
  test('shows its menu under SeaBIOS, takes keys, and boots Linux', {
    skip: forBios.skip,
  }, async () => {
    await using machine = await Machine.create({ cdrom: forBios.value, memory: '256M' });
    await machine.start();
    const menu = await screenShows(machine, /\*Do nothing/, PATIENCE_SECONDS);
    assert.match(menu, /GNU GRUB {2}version/);
    const screen = await machine.screen();
    assert.deepEqual([screen?.width, screen?.height], [720, 400], '80 × 25 characters of 9 × 16');
    await machine.type('<down>');
    await screenShows(machine, /\*Linux in Vivarium/, PATIENCE_SECONDS);
    await machine.type('<enter>');
    await useLinux(machine, 'mount -t sysfs s /sys; test -d /sys/firmware/efi; echo efi$?', /efi1/);
  });

  const forUefi = await orSkip(() => makeDisc(uefi, 'grub-efi-amd64-bin', 'x86_64-efi'));
  test('shows its menu under OVMF, takes keys, and boots Linux', {
    skip: forUefi.skip,
  }, async () => {
    await using machine = await Machine.create({
      ...{ cdrom: forUefi.value, memory: '256M', firmware: 'ovmf' },
    });
    await machine.start();
    // Its console is the serial line as well.
    await machine.console.waitFor('*Do nothing');
    await machine.type('<down>');
    await machine.console.waitFor('*Linux in Vivarium');
    const screen = await pictureShows(
      machine,
      (now) => now.width >= 800 && coloursOf(now).colours >= 2,
      PATIENCE_SECONDS,
    );
    const { share } = coloursOf(screen);
    assert.ok(share > 0.8 && share < 0.99, `a menu is mostly one colour: ${share}`);
    assert.deepEqual([...(await screenPng(screen)).subarray(1, 4)], [0x50, 0x4e, 0x47]);
    await machine.type('<enter>');
    await useLinux(machine, 'mount -t sysfs s /sys; ls /sys/firmware/efi', /\bruntime\b/);
  });
});
