/**
 * The keyboard controller of a PC with a PS/2 keyboard and mouse.
 * IBM PS/2 technical reference, "Keyboard and Auxiliary Device Controller"; Intel UPI-41/42 manual.
 *
 * ```
 *  port 0x60  data
 *  port 0x64  read: status (OBF 0, IBF 1, system flag 2, command 3, unlocked 4, AUX data 5)
 *             write: command
 * ```
 * Left out: the A20 gate masks nothing, controller RAM beyond its command byte, password security.
 */
import type { Device, InterruptLine, RegisterBank } from '../../bus/mod.ts';
import {
  boolean,
  type Checked,
  list,
  optional,
  type Persist,
  record,
  section,
  u8,
} from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';
import { checkKeyboardState, Ps2Keyboard } from './keyboard.ts';
import { checkMouseState, Ps2Mouse } from './mouse.ts';
import { ScancodeTranslator } from './scancodes.ts';

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX = 0x20;

/** The controller command byte. */
const CCB_KEYBOARD_INTERRUPT = 0x01;
const CCB_AUX_INTERRUPT = 0x02;
const CCB_SYSTEM = 0x04;
const CCB_KEYBOARD_DISABLED = 0x10;
const CCB_AUX_DISABLED = 0x20;
const CCB_TRANSLATE = 0x40;
/** As firmware leaves it. */
const CCB_POWER_ON = CCB_KEYBOARD_INTERRUPT | CCB_SYSTEM | CCB_AUX_DISABLED | CCB_TRANSLATE;

const OUTPUT_PORT_NOT_RESET = 0x01;
const OUTPUT_PORT_A20 = 0x02;

const READ_CCB = 0x20;
const WRITE_CCB = 0x60;
const DISABLE_AUX = 0xa7;
const ENABLE_AUX = 0xa8;
const TEST_AUX = 0xa9;
const SELF_TEST = 0xaa;
const TEST_KEYBOARD = 0xab;
const DISABLE_KEYBOARD = 0xad;
const ENABLE_KEYBOARD = 0xae;
const READ_INPUT_PORT = 0xc0;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_BUFFER = 0xd2;
const WRITE_AUX_BUFFER = 0xd3;
const WRITE_AUX = 0xd4;
const DISABLE_A20 = 0xdd;
const ENABLE_A20 = 0xdf;
const PULSE_OUTPUT_PORT = 0xf0; // to 0xff; a clear bit 0 pulses the reset line

const checkByte = record({ value: u8, aux: boolean });
type OutputByte = Checked<typeof checkByte>;

const checkState = record({
  ccb: u8,
  outputPort: u8,
  selfTested: boolean,
  lastWasCommand: boolean,
  pendingCommand: optional(u8),
  /** the byte at port 0x60 */
  output: optional(checkByte),
  lastData: u8,
  /** answers of the controller itself that wait behind it */
  answers: list(checkByte, 0, 16),
  breakPending: boolean,
  keyboard: checkKeyboardState,
  mouse: checkMouseState,
});
export type I8042State = Checked<typeof checkState>;

export interface I8042Options {
  /** ISA interrupt 1. */
  readonly keyboardLine: InterruptLine;
  /** ISA interrupt 12. */
  readonly auxLine: InterruptLine;
  readonly onReset: () => void;
}

export class I8042 implements Device {
  readonly name = 'i8042';
  /** Port 0x60. */
  readonly data: RegisterBank;
  /** Port 0x64. */
  readonly command: RegisterBank;
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  readonly persist: Persist<I8042State>;
  readonly #options: I8042Options;
  readonly #translator = new ScancodeTranslator();

  #ccb = CCB_POWER_ON;
  #outputPort = OUTPUT_PORT_NOT_RESET | OUTPUT_PORT_A20;
  #selfTested = true;
  #lastWasCommand = false;
  #pendingCommand: number | undefined;
  #output: OutputByte | undefined;
  #lastData = 0;
  #answers: OutputByte[] = [];

  constructor(options: I8042Options) {
    this.#options = options;
    this.keyboard = new Ps2Keyboard(() => this.#fill());
    this.mouse = new Ps2Mouse(() => this.#fill());
    this.keyboard.reset();
    this.mouse.reset();
    this.data = byteBank(
      () => this.#readData(),
      (_offset, value) => this.#writeData(value),
    );
    this.command = byteBank(
      () => this.#status(),
      (_offset, value) => this.#writeCommand(value),
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => this.#save(),
      load: (state) => this.#load(state),
    });
  }

  reset(): void {
    this.#ccb = CCB_POWER_ON;
    this.#outputPort = OUTPUT_PORT_NOT_RESET | OUTPUT_PORT_A20;
    this.#selfTested = true;
    this.#lastWasCommand = false;
    this.#pendingCommand = undefined;
    this.#output = undefined;
    this.#lastData = 0;
    this.#answers = [];
    this.#translator.breakPending = false;
    this.keyboard.reset();
    this.mouse.reset();
    this.#updateLines();
  }

  #status(): number {
    return (
      STATUS_UNLOCKED |
      (this.#output !== undefined ? STATUS_OUTPUT_FULL : 0) |
      (this.#output?.aux ? STATUS_AUX : 0) |
      (this.#selfTested ? STATUS_SYSTEM : 0) |
      (this.#lastWasCommand ? STATUS_COMMAND : 0)
    );
  }

  #readData(): number {
    if (this.#output !== undefined) {
      this.#lastData = this.#output.value;
      this.#output = undefined;
      // The lines fall before the next byte raises them: their inputs are edge-triggered.
      this.#updateLines();
      this.#fill();
    }
    return this.#lastData;
  }

  #writeData(value: number): void {
    this.#lastWasCommand = false;
    const command = this.#pendingCommand;
    this.#pendingCommand = undefined;
    switch (command) {
      case undefined:
        this.keyboard.receive(value);
        break;
      case WRITE_CCB:
        this.#setCcb(value);
        break;
      case WRITE_OUTPUT_PORT:
        this.#writeOutputPort(value);
        break;
      case WRITE_KEYBOARD_BUFFER:
        this.#answer(value, false);
        break;
      case WRITE_AUX_BUFFER:
        this.#answer(value, true);
        break;
      case WRITE_AUX:
        this.mouse.receive(value);
        break;
      default: // a parameter of a command without effect
    }
  }

  #writeCommand(value: number): void {
    this.#lastWasCommand = true;
    this.#pendingCommand = undefined;
    switch (value) {
      case READ_CCB:
        this.#answer(this.#ccb, false);
        break;
      case WRITE_CCB:
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_BUFFER:
      case WRITE_AUX_BUFFER:
      case WRITE_AUX:
        this.#pendingCommand = value;
        break;
      case DISABLE_AUX:
        this.#setCcb(this.#ccb | CCB_AUX_DISABLED);
        break;
      case ENABLE_AUX:
        this.#setCcb(this.#ccb & ~CCB_AUX_DISABLED);
        break;
      case TEST_AUX:
      case TEST_KEYBOARD:
        this.#answer(0x00, false);
        break;
      case SELF_TEST:
        this.#selfTested = true;
        this.#answer(0x55, false);
        break;
      case DISABLE_KEYBOARD:
        this.#setCcb(this.#ccb | CCB_KEYBOARD_DISABLED);
        break;
      case ENABLE_KEYBOARD:
        this.#setCcb(this.#ccb & ~CCB_KEYBOARD_DISABLED);
        break;
      case READ_INPUT_PORT:
        this.#answer(0x80, false); // keyboard unlocked
        break;
      case READ_OUTPUT_PORT:
        this.#answer(
          this.#outputPort | (this.#output !== undefined ? (this.#output.aux ? 0x20 : 0x10) : 0),
          false,
        );
        break;
      case DISABLE_A20:
        this.#outputPort &= ~OUTPUT_PORT_A20;
        break;
      case ENABLE_A20:
        this.#outputPort |= OUTPUT_PORT_A20;
        break;
      default:
        if (value >= PULSE_OUTPUT_PORT && !(value & 0x01)) this.#options.onReset();
    }
  }

  #setCcb(value: number): void {
    this.#ccb = value;
    this.#selfTested = (value & CCB_SYSTEM) !== 0;
    this.#updateLines();
    this.#fill();
  }

  #writeOutputPort(value: number): void {
    this.#outputPort = value & (OUTPUT_PORT_A20 | OUTPUT_PORT_NOT_RESET);
    if (!(value & OUTPUT_PORT_NOT_RESET)) this.#options.onReset();
  }

  #answer(value: number, aux: boolean): void {
    if (this.#answers.length < 16) this.#answers.push({ value, aux });
    this.#fill();
  }

  /** Moves the next waiting byte to port 0x60, if it is free. */
  #fill(): void {
    while (this.#output === undefined) {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        this.#output = answer;
      } else if (this.keyboard.waiting && !(this.#ccb & CCB_KEYBOARD_DISABLED)) {
        const raw = this.keyboard.take();
        const value = this.#ccb & CCB_TRANSLATE ? this.#translator.translate(raw) : raw;
        if (value !== undefined) this.#output = { value, aux: false };
      } else if (this.mouse.waiting && !(this.#ccb & CCB_AUX_DISABLED)) {
        this.#output = { value: this.mouse.take(), aux: true };
      } else {
        break;
      }
    }
    this.#updateLines();
  }

  #updateLines(): void {
    const aux = this.#output?.aux;
    this.#options.keyboardLine.set(aux === false && (this.#ccb & CCB_KEYBOARD_INTERRUPT) !== 0);
    this.#options.auxLine.set(aux === true && (this.#ccb & CCB_AUX_INTERRUPT) !== 0);
  }

  #save(): I8042State {
    return {
      ccb: this.#ccb,
      outputPort: this.#outputPort,
      selfTested: this.#selfTested,
      lastWasCommand: this.#lastWasCommand,
      pendingCommand: this.#pendingCommand,
      output: this.#output === undefined ? undefined : { ...this.#output },
      lastData: this.#lastData,
      answers: this.#answers.map((byte) => ({ ...byte })),
      breakPending: this.#translator.breakPending,
      keyboard: this.keyboard.save(),
      mouse: this.mouse.save(),
    };
  }

  #load(state: I8042State): void {
    this.#ccb = state.ccb;
    this.#outputPort = state.outputPort;
    this.#selfTested = state.selfTested;
    this.#lastWasCommand = state.lastWasCommand;
    this.#pendingCommand = state.pendingCommand;
    this.#output = state.output;
    this.#lastData = state.lastData;
    this.#answers = state.answers;
    this.#translator.breakPending = state.breakPending;
    this.keyboard.load(state.keyboard);
    this.mouse.load(state.mouse);
  }
}
