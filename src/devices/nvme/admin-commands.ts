/** The admin command set: queues, identification, features. NVM Express 1.4, section 5. */
import type { BlockBackend } from '../../bus/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import type { BlockCounters } from '../block-counters.ts';
import { high16, low16, type NvmeCommand } from './command.ts';
import type { Features } from './features.ts';
import {
  ASYNC_EVENT_LIMIT,
  identifyController,
  identifyNamespace,
  type NvmeIdentity,
  namespaceDescriptors,
  namespaceList,
} from './identify.ts';
import { logPage } from './log-pages.ts';
import { transferPages } from './prp.ts';
import type { QueueSet } from './queue-set.ts';
import {
  ADMIN,
  ALL_NAMESPACES,
  MAX_TRANSFER_BYTES,
  NAMESPACE_ID,
  PAGE_BYTES,
  STATUS,
} from './spec.ts';

export interface AdminCommandsOptions {
  readonly backend: BlockBackend;
  readonly memory: GuestMemory;
  readonly identity: NvmeIdentity;
  readonly queues: QueueSet;
  readonly features: Features;
  readonly counters: BlockCounters;
}

/** Status and first doubleword of a completion; undefined when the command stays open. */
export type AdminAnswer = { readonly status: number; readonly result: number } | undefined;

export class AdminCommands {
  readonly #options: AdminCommandsOptions;
  /** requests for events, which stay open: there are no events */
  #asyncEvents: number[] = [];

  constructor(options: AdminCommandsOptions) {
    this.#options = options;
  }

  /** Identifiers of the commands that are open. */
  get asyncEvents(): readonly number[] {
    return this.#asyncEvents;
  }
  set asyncEvents(ids: readonly number[]) {
    this.#asyncEvents = [...ids];
  }

  serve(command: NvmeCommand): AdminAnswer {
    const { queues, features } = this.#options;
    if (command.isForeign) return answer(STATUS.invalidField);
    const { dw10, dw11 } = command;
    switch (command.opcode) {
      case ADMIN.createCq:
        return answer(queues.createCompletionQueue(command));
      case ADMIN.createSq:
        return answer(queues.createSubmissionQueue(command));
      case ADMIN.deleteCq:
        return answer(queues.deleteCompletionQueue(low16(dw10)));
      case ADMIN.deleteSq:
        return answer(queues.deleteSubmissionQueue(low16(dw10)));
      case ADMIN.identify:
        return answer(this.#identify(command));
      case ADMIN.getLogPage:
        return answer(this.#getLogPage(command));
      case ADMIN.setFeatures:
        return features.set(dw10 & 0xff, dw11, dw10 >>> 31 === 1);
      case ADMIN.getFeatures:
        return features.get(dw10 & 0xff, (dw10 >> 8) & 7);
      case ADMIN.abort:
        return { status: STATUS.success, result: 1 }; // too late: commands complete at once
      case ADMIN.asyncEvent:
        if (this.#asyncEvents.length > ASYNC_EVENT_LIMIT) return answer(STATUS.asyncEventLimit);
        this.#asyncEvents.push(command.id);
        return undefined;
      default:
        return answer(STATUS.invalidOpcode);
    }
  }

  #identify(command: NvmeCommand): number {
    const structure = this.#structure(command.dw10 & 0xff, command.namespace);
    if (typeof structure === 'number') return structure;
    return this.#send(command, structure);
  }

  #structure(kind: number, namespace: number): Uint8Array | number {
    const { backend, identity } = this.#options;
    switch (kind) {
      case 0x00:
        if (namespace === ALL_NAMESPACES) return identifyNamespace(backend);
        if (namespace !== NAMESPACE_ID) return STATUS.invalidNamespace;
        return identifyNamespace(backend);
      case 0x01:
        return identifyController(identity);
      case 0x02:
        if (namespace >= ALL_NAMESPACES - 1) return STATUS.invalidNamespace;
        return namespaceList(namespace);
      case 0x03:
        if (namespace !== NAMESPACE_ID) return STATUS.invalidNamespace;
        return namespaceDescriptors(identity);
      case 0x06: // limits of the NVM command set: none
        return new Uint8Array(PAGE_BYTES);
      default:
        return STATUS.invalidField;
    }
  }

  #getLogPage(command: NvmeCommand): number {
    const { dw10, dw11, dw12, dw13 } = command;
    const log = logPage(dw10 & 0xff, this.#options.counters);
    if (log === undefined) return STATUS.invalidLogPage;
    const bytes = (high16(dw10) + low16(dw11) * 0x1_0000 + 1) * 4;
    const offset = dw12 + dw13 * 2 ** 32;
    if (bytes > MAX_TRANSFER_BYTES || offset % 4 !== 0 || offset > log.length) {
      return STATUS.invalidField;
    }
    const part = new Uint8Array(bytes);
    part.set(log.subarray(offset, offset + bytes));
    return this.#send(command, part);
  }

  #send(command: NvmeCommand, bytes: Uint8Array): number {
    const pages = transferPages(this.#options.memory, command, bytes.length);
    if (typeof pages === 'number') return pages;
    pages.write(0, bytes);
    return STATUS.success;
  }
}

function answer(status: number): AdminAnswer {
  return { status, result: 0 };
}
