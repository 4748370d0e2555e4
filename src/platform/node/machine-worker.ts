/** The entry of a machine's worker thread in Node: owns the board until the machine ends. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { RingLink } from '../../net/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { ControlBlock } from '../machine-thread/control-block.ts';
import { type BoardMaker, MachineLoop } from '../machine-thread/machine-loop.ts';
import type { MachineMessage, MachineStart } from '../machine-thread/messages.ts';
import { BatchThread } from './batch-thread.ts';
import { archiveFolder, type CodeArchivePlace } from './code-archive/archive-folder.ts';
import { canKeepCode, prepareToKeepCode } from './code-archive/compiled-module.ts';
import { readHints } from './compilation-hints.ts';
import { openDisks } from './disk/open-disks.ts';
import { openFolders } from './folder/mod.ts';
import { Doorbell } from './network/doorbell.ts';
import { TranslatorThread } from './translator-thread.ts';

const ROOM_POLL_MILLISECONDS = 500;

const user = parentPort as MessagePort;
/** The product's board, loaded while the machine is not described yet. */
const product = import(`../../machine/mod.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`);
const start = await new Promise<MachineStart>((resolve) => user.once('message', resolve));

function post(message: MachineMessage): void {
  user.postMessage(message, message.kind === 'output' ? [message.bytes.buffer] : []);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** This end of the link to the thread of a network or of sockets. */
function connectLink(memory: MachineStart['network']): RingLink | undefined {
  if (memory === undefined) return undefined;
  const doorbell = new Doorbell(memory.doorbell);
  return new RingLink(memory.link, 0, () => doorbell.ring());
}

async function loadBoard(): Promise<BoardMaker> {
  const module = await (start.boardModule === undefined ? product : import(start.boardModule));
  return module.Board;
}

/** The host's disk is full: the guest stands still until there is room, or the machine is stopped. */
function waitForRoom(name: string): boolean {
  if (!isWaitingForRoom) {
    isWaitingForRoom = true;
    const text = `the host's disk is full: the machine waits until there is room for ${name}`;
    post({ kind: 'notice', text });
  }
  control.sleep(control.wakeCount, ROOM_POLL_MILLISECONDS);
  return !control.isStopped;
}

function tellOfRoom(): void {
  isWaitingForRoom = false;
  post({ kind: 'notice', text: "there is room on the host's disk again: the machine goes on" });
}

/** Where the code for a virtual processor with these features is kept; undefined: none is. */
function openArchive(features: string): CodeArchivePlace | undefined {
  if (start.codeArchive === undefined || !canKeepCode()) return undefined;
  prepareToKeepCode();
  const { directory, isReadOnly } = start.codeArchive;
  return { directory: archiveFolder(directory, features), isReadOnly };
}

readHints();
const control = new ControlBlock(start.control);
let isWaitingForRoom = false;
let loop: MachineLoop | undefined;
let translator: TranslatorThread | undefined;
let batches: BatchThread | undefined;
try {
  loop = new MachineLoop(await loadBoard(), start.config, start.noReboot, control, {
    now: () => performance.now() * 1e6,
    epochMilliseconds: () => Date.now(),
    cpuSeconds,
    post,
    fillRandom: (target) => void crypto.getRandomValues(target),
    disks: openDisks(start.disks ?? [], { onFull: waitForRoom, onRoom: tellOfRoom }),
    folders: openFolders(start.folders ?? [], {
      control: start.control,
      notice: (text) => post({ kind: 'notice', text }),
    }),
    openWorkshop: (place) => {
      translator?.close();
      translator = TranslatorThread.start(place);
      return translator;
    },
    openBatchCompiler: (features) => {
      batches?.close();
      batches = BatchThread.start(openArchive(features));
      return batches;
    },
    network: connectLink(start.network),
    vsock: connectLink(start.vsock),
  });
  loop.run();
} catch (error) {
  if (error instanceof VivariumError) {
    post({ kind: 'refused', code: error.code, message: error.message });
  } else {
    const message = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error ? error.stack : undefined;
    post({ kind: 'fault', message, detail: `${stack ?? message}\n\n${lastStats()}` });
  }
}

/** The counters at the time of a fault, as far as they can still be had. */
function lastStats(): string {
  try {
    return JSON.stringify(loop?.stats(), null, 2) ?? '';
  } catch (error) {
    return `no statistics: ${String(error)}`;
  }
}
