/**
 * Physical region pages: where the data of a command lie. NVM Express 1.4, section 4.3.
 *
 * PRP 1 is the first page, from any dword of it. PRP 2 is the second page, or, when there are more, a
 * list of pages; the last entry of a list that fills its page leads to the next one.
 */
import type { GuestMemory } from '../../memory/mod.ts';
import { type GuestBuffer, GuestBuffers } from '../guest-buffers.ts';
import type { NvmeCommand } from './command.ts';
import { PAGE_BYTES, STATUS } from './spec.ts';

/** Follows the pointers of `command` for `bytes` of data. Returns a status when they are wrong. */
export function transferPages(
  memory: GuestMemory,
  command: NvmeCommand,
  bytes: number,
): GuestBuffers | number {
  const { prp1, prp2 } = command;
  if (prp1 % 4 !== 0) return STATUS.invalidPrpOffset;
  const first = Math.min(bytes, PAGE_BYTES - (prp1 % PAGE_BYTES));
  if (!memory.contains(prp1, first)) return STATUS.dataTransferError;
  const pieces: GuestBuffer[] = [{ gpa: prp1, bytes: first }];
  const left = bytes - first;
  let status: number = STATUS.success;
  if (left > PAGE_BYTES) status = followList(memory, prp2, left, pieces);
  else if (left > 0) status = addPage(memory, prp2, left, pieces);
  return status === STATUS.success ? new GuestBuffers(memory, pieces) : status;
}

function addPage(memory: GuestMemory, gpa: number, bytes: number, pieces: GuestBuffer[]): number {
  if (gpa % PAGE_BYTES !== 0) return STATUS.invalidPrpOffset;
  if (!memory.contains(gpa, bytes)) return STATUS.dataTransferError;
  pieces.push({ gpa, bytes });
  return STATUS.success;
}

function followList(
  memory: GuestMemory,
  start: number,
  bytes: number,
  pieces: GuestBuffer[],
): number {
  let list = start;
  let left = bytes;
  while (left > 0) {
    if (list % 8 !== 0) return STATUS.invalidPrpOffset;
    const pages = Math.ceil(left / PAGE_BYTES);
    const room = (PAGE_BYTES - (list % PAGE_BYTES)) / 8;
    const isChained = pages > room;
    // A list of one entry that only leads on could lead to itself.
    if (isChained && room === 1) return STATUS.invalidPrpOffset;
    const count = Math.min(pages, room);
    if (!memory.contains(list, count * 8)) return STATUS.dataTransferError;
    const entries = new DataView(new ArrayBuffer(count * 8));
    memory.read(list, new Uint8Array(entries.buffer));
    const entry = (index: number) =>
      entries.getUint32(index * 8, true) + entries.getUint32(index * 8 + 4, true) * 2 ** 32;
    for (let index = 0; index < (isChained ? count - 1 : count); index++) {
      const here = Math.min(PAGE_BYTES, left);
      const status = addPage(memory, entry(index), here, pieces);
      if (status !== STATUS.success) return status;
      left -= here;
    }
    if (isChained) list = entry(count - 1);
  }
  return STATUS.success;
}
