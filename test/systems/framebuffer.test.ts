/** Linux draws: the driver for the graphics card, its console, the keyboard and the mouse. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { buildInitrd, extractDeb, kernelVersionOf, orderModules } from '../../src/guest/mod.ts';
import { Machine } from '../../src/mod.ts';
import { GuestPackages } from '../../src/platform/node/mod.ts';
import { Workplace } from '../guests/images.ts';
import { busyboxOf, filesOf, orSkip } from './packages.ts';
import { pictureShows } from './screen.ts';

const PATIENCE_SECONDS = 600;
const MODULES = ['bochs', 'psmouse', 'mousedev', 'evdev'];

const MENU = `set timeout=0
menuentry "Linux" {
  linux /linux console=tty0 console=ttyS0 quiet mitigations=off
  initrd /initrd
}
`;

/** Loads the drivers in order, fills the frame buffer with one colour, and obeys the serial line. */
const INIT = `#!/bin/sh
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in $(cat /modules); do insmod /lib/$module; done
echo "init here: $(cat /sys/class/graphics/fb0/name) $(cat /sys/class/graphics/fb0/virtual_size)"
while read -r line; do eval "$line"; done </dev/ttyS0 >/dev/ttyS0 2>&1
`;

const missing = ['grub-mkrescue', 'xorriso', 'mformat'].find(
  (program) => spawnSync(program, ['--version']).error !== undefined,
);

/** A disc with Debian's general kernel, which has drivers for what people sit at. */
async function makeDisc(place: Workplace): Promise<string> {
  const packages = new GuestPackages();
  const { deb } = await packages.exclusively(() => packages.kernel('linux-image-amd64'));
  const files = await extractDeb(
    deb,
    (path) => kernelVersionOf(path) !== undefined || /\.ko$/.test(path),
  );
  const kernel = [...files].find(([path]) => kernelVersionOf(path) !== undefined)?.[1];
  assert.ok(kernel, 'the package has no kernel');
  const modules = new Map([...files].filter(([path]) => path.endsWith('.ko')));
  const ordered = orderModules(
    modules,
    MODULES.filter((name) => hasModule(modules, name)),
  );
  const initrd = buildInitrd({
    busybox: await busyboxOf(),
    files: [
      { path: 'init', mode: 0o755, data: INIT },
      { path: 'modules', data: `${ordered.map((path) => basename(path)).join('\n')}\n` },
      ...ordered.map((path) => ({ path: `lib/${basename(path)}`, data: modules.get(path)! })),
    ],
  });
  const folder = 'usr/lib/grub/i386-pc/';
  for (const [path, data] of await filesOf('grub-pc-bin', new RegExp(`^${folder}`))) {
    writeTo(join(place.path, 'grub', path), data);
  }
  const tree = join(place.path, 'tree');
  writeTo(join(tree, 'linux'), kernel);
  writeTo(join(tree, 'initrd'), initrd);
  writeTo(join(tree, 'boot/grub/grub.cfg'), MENU);
  const disc = join(place.path, 'disc.iso');
  const made = spawnSync('grub-mkrescue', [
    '-d',
    join(place.path, 'grub', folder),
    '-o',
    disc,
    tree,
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  return disc;
}

/** Some kernels have it built in. */
function hasModule(modules: ReadonlyMap<string, Uint8Array>, name: string): boolean {
  return [...modules.keys()].some((path) => basename(path, '.ko') === name);
}

function writeTo(path: string, data: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
}

describe('Linux with a graphics card', { timeout: 1000 * PATIENCE_SECONDS }, async () => {
  const place = new Workplace();
  after(() => place[Symbol.dispose]());
  const { value, skip } = await orSkip(() => makeDisc(place));
  const why = missing === undefined ? skip : `this host has no ${missing}`;

  test('paints its console, and hears keys and the mouse', { skip: why }, async () => {
    await using machine = await Machine.create({ cdrom: value!, memory: '256M' });
    await machine.start();
    const greeting = await machine.console.waitFor(/init here: .*\r\n/);
    const [, name, width, height] = /init here: (\S+) (\d+),(\d+)/.exec(greeting ?? '') ?? [];
    assert.match(name ?? '', /bochs/);
    const ask = async (line: string): Promise<string> => {
      await machine.console.write(`${line}; echo done$((1+1))\n`);
      return (await machine.console.waitFor('done2')) ?? '';
    };
    await ask('echo 0 >/sys/class/graphics/fbcon/cursor_blink');
    // A screen full of one colour, as the frame buffer has it: blue, green, red, nothing. It is written many lines
    // at once: of a write of exactly one line, Linux' frame buffer emulation believes that it changes nothing.
    const pixels = 8 * Number(width);
    await ask(
      `awk 'BEGIN { for (i = 0; i < ${pixels}; i++) print "00ff4000" }' | xxd -r -p >/lines;` +
        ` i=0; while [ $i -lt ${Number(height)} ]; do cat /lines; i=$((i + 8)); done >/all;` +
        ' cat /all >/dev/fb0',
    );
    // The driver copies what was written a little later.
    const colour = [0x40, 0xff, 0x00, 0xff];
    await pictureShows(
      machine,
      ({ width: columns, height: rows, rgba }) =>
        columns === Number(width) &&
        rows === Number(height) &&
        colour.every((value, channel) => rgba[channel] === value),
      PATIENCE_SECONDS,
    );
    const keys = '(timeout 20 cat /dev/tty1 >/typed &) ; sleep 1';
    await ask(keys);
    await machine.type('Hello, <esc>World!\n');
    const typed = await ask('sleep 3; cat /typed | od -c | head -3');
    assert.match(typed, /H {3}e {3}l {3}l {3}o {3}, +033 {3}W {3}o {3}r {3}l/);
    await ask('(timeout 20 cat /dev/input/mice >/moved &); sleep 1');
    await machine.moveMouse({ dx: 5, dy: -3, buttons: ['left'] });
    const moved = await ask('sleep 3; od -t d1 -A n /moved | head -1');
    assert.match(moved, /\b5 +-3\b/);
  });
});
