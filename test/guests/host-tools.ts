/** Programs of the host that tests ask, and `viv` itself where no guest runs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { binViv } from './session.ts';

/** What a program said, on both streams, and its exit code. */
export interface Said {
  readonly status: number | null;
  readonly text: string;
}

export function hostTool(name: string, ...words: string[]): Said {
  const { status, stdout, stderr } = spawnSync(name, words, { encoding: 'utf8' });
  return { status, text: `${stdout}${stderr}` };
}

export function vivCommand(...words: string[]): Said {
  return hostTool(process.execPath, binViv, ...words);
}

export function expectSuccess({ status, text }: Said): void {
  assert.equal(status, 0, text);
}

/** Why images cannot be looked at with QEMU's tools and e2fsck; false if they can. */
export const noDiskTools: string | false =
  hostTool('qemu-img', '--version').status === 0 && hostTool('e2fsck', '-V').status === 0
    ? false
    : 'qemu-img and e2fsck are needed (Debian: qemu-utils, e2fsprogs)';
