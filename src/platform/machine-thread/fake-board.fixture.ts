/**
 * A stand-in for `Board` with a tiny shell for a guest, to test the thread, the API and the command
 * line by themselves. It greets with its command line, then obeys the lines typed into it.
 */
import type { BoardConfig, BoardHost, MachineStats, RunOutcome } from '../../machine/config.ts';
import { VivariumError } from '../../util/mod.ts';
import type { RunnableBoard } from './machine-loop.ts';

const PROMPT = '# ';
/** Like a serial port, the guest takes few bytes at a time. */
const FIFO_BYTES = 16;

export class Board implements RunnableBoard {
  #host: BoardHost;
  #config: BoardConfig;
  #input: number[] = [];
  #line = '';
  #isBooted = false;
  #isSpinning = false;
  #sleepsUntil = 0;
  #instructions = 0;
  #outcome: RunOutcome = { kind: 'idle', until: Number.POSITIVE_INFINITY };

  static create(config: BoardConfig, host: BoardHost): Board {
    if (config.kernel === undefined || config.kernel.length === 0) {
      throw new VivariumError('kernel-invalid', 'the kernel is empty');
    }
    if (config.memoryBytes < 4 * 2 ** 20) {
      throw new VivariumError('memory-too-small', 'the kernel needs at least 4 MiB of memory');
    }
    return new Board(config, host);
  }

  constructor(config: BoardConfig, host: BoardHost) {
    this.#config = config;
    this.#host = host;
  }

  consoleInput(bytes: Uint8Array): number {
    const accepted = Math.min(bytes.length, FIFO_BYTES - this.#input.length);
    this.#input.push(...bytes.subarray(0, accepted));
    return accepted;
  }

  runFor(nanoseconds: number): RunOutcome {
    this.#instructions += 1000;
    if (!this.#isBooted) {
      this.#isBooted = true;
      this.#print(`booted with: ${this.#config.cmdline}\r\n${PROMPT}`);
    }
    if (this.#isSpinning) {
      const end = this.#host.now() + nanoseconds;
      while (this.#host.now() < end) this.#instructions++;
      return { kind: 'running' };
    }
    if (this.#sleepsUntil > 0) {
      if (this.#host.now() < this.#sleepsUntil) return { kind: 'idle', until: this.#sleepsUntil };
      this.#sleepsUntil = 0;
      this.#print(`slept\r\n${PROMPT}`);
    }
    const typed = this.#input.splice(0);
    for (const byte of typed) this.#type(String.fromCharCode(byte));
    return typed.length > 0 && this.#outcome.kind === 'idle' ? { kind: 'running' } : this.#outcome;
  }

  pressPowerButton(): void {
    this.#outcome = { kind: 'stopped', reason: { kind: 'shutdown' } };
  }

  stats(): MachineStats {
    return {
      instructions: this.#instructions,
      hostSeconds: this.#host.now() / 1e9,
      hostCpuSeconds: this.#host.cpuSeconds(),
      guestSeconds: this.#host.now() / 1e9,
      exits: { halt: 1 },
      tiers: { reference: 0, handlers: this.#instructions, regions: 0 },
      regions: 0,
      compileSeconds: 0,
      tlb: { hits: 0, misses: 0, flushes: 0 },
      invalidations: 0,
      framesTouched: 1,
    };
  }

  #type(character: string): void {
    if (character !== '\r' && character !== '\n') {
      this.#line += character;
      return;
    }
    const [command = '', argument = ''] = this.#line.split(' ', 2);
    const line = this.#line;
    this.#line = '';
    switch (command) {
      case 'poweroff':
        this.#outcome = { kind: 'stopped', reason: { kind: 'shutdown' } };
        return;
      case 'reboot':
        this.#outcome = { kind: 'stopped', reason: { kind: 'reset' } };
        return;
      case 'exit':
        this.#outcome = {
          kind: 'stopped',
          reason: { kind: 'debug-exit', code: (Number(argument) << 1) | 1 },
        };
        return;
      case 'triple': {
        const exception = '#PF (14)';
        const dump = 'rax=0 rbx=1';
        this.#outcome = {
          kind: 'stopped',
          reason: { kind: 'triple-fault', vcpu: 0, rip: 0xffff_8000n, exception, dump },
        };
        return;
      }
      case 'throw':
        throw new Error('the board broke');
      case 'leave':
        process.exit(5);
        return;
      case 'sleep':
        this.#sleepsUntil = this.#host.now() + Number(argument) * 1e6;
        return;
      case 'spin':
        this.#isSpinning = true;
        this.#print('spinning\r\n');
        return;
      case 'hang':
        this.#print('hanging\r\n');
        for (;;);
      case 'print':
        this.#print(`${'x'.repeat(Number(argument))}\r\n${PROMPT}`);
        return;
      default:
        this.#print(`you said: ${line}\r\n${PROMPT}`);
    }
  }

  #print(text: string): void {
    for (const part of text.match(/[\s\S]{1,64}/g) ?? []) {
      this.#host.consoleOutput(new TextEncoder().encode(part));
    }
  }
}
