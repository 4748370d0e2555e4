/**
 * The two 8259A interrupt controllers of a PC, the second cascaded on input 2 of the first.
 * Intel 8259A data sheet (231468-003), and the edge/level control registers (ELCR, ports 0x4d0 and
 * 0x4d1) of the EISA and PIIX data sheets.
 *
 * Left out: MCS-80/85 mode (ICW4 bit 0 clear still delivers 8086 vectors), buffered mode, ICW3 wiring
 * other than the PC's.
 */
import type { Device, InterruptLine, RegisterBank } from '../bus/mod.ts';
import {
  boolean,
  type Checked,
  integer,
  type Persist,
  record,
  refine,
  section,
  u8,
} from '../state/mod.ts';
import { byteBank } from './byte-bank.ts';

const ICW1_INIT = 0x10;
const ICW1_NEED_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW1_LEVEL = 0x08;
const ICW4_AUTO_EOI = 0x02;
const ICW4_SPECIAL_FULLY_NESTED = 0x10;
const OCW3 = 0x08;
const OCW3_READ_REGISTER = 0x02;
const OCW3_READ_ISR = 0x01;
const OCW3_POLL = 0x04;
const OCW3_SET_SPECIAL_MASK = 0x40;
const OCW3_SPECIAL_MASK = 0x20;

/** The input of the first controller that the second one drives. */
const CASCADE = 2;
/** The input reported when a request is gone before it is acknowledged. */
const SPURIOUS = 7;

const checkController = record({
  levels: u8,
  requested: u8,
  inService: u8,
  mask: u8,
  elcr: u8,
  vectorBase: refine(u8, (base) => (base & 7) === 0, 'a vector base'),
  lowestPriority: integer(0, 7),
  initStep: integer(0, 3),
  needIcw4: boolean,
  single: boolean,
  levelMode: boolean,
  autoEoi: boolean,
  rotateOnAutoEoi: boolean,
  specialFullyNested: boolean,
  specialMask: boolean,
  readIsr: boolean,
  poll: boolean,
});
type ControllerState = Checked<typeof checkController>;

const checkState = record({ primary: checkController, secondary: checkController });
export type Pic8259State = Checked<typeof checkState>;

function freshState(): ControllerState {
  return {
    levels: 0,
    requested: 0,
    inService: 0,
    mask: 0,
    elcr: 0,
    vectorBase: 0,
    lowestPriority: 7,
    initStep: 0,
    needIcw4: false,
    single: false,
    levelMode: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    specialMask: false,
    readIsr: false,
    poll: false,
  };
}

/** One 8259A. */
class Controller {
  state = freshState();
  readonly #elcrWritable: number;
  readonly #cascade: boolean;
  readonly #onChange: () => void;

  constructor(elcrWritable: number, cascade: boolean, onChange: () => void) {
    this.#elcrWritable = elcrWritable;
    this.#cascade = cascade;
    this.#onChange = onChange;
  }

  setInput(input: number, level: boolean): void {
    const s = this.state;
    const bit = 1 << input;
    if (this.#levelTriggered(bit)) {
      s.requested = level ? s.requested | bit : s.requested & ~bit;
    } else if (level && !(s.levels & bit)) {
      s.requested |= bit;
    }
    s.levels = level ? s.levels | bit : s.levels & ~bit;
    this.#onChange();
  }

  /** The input to be served now, or -1. */
  pending(): number {
    const s = this.state;
    const waiting = s.requested & ~s.mask;
    if (waiting === 0) return -1;
    let blocking = s.inService;
    if (s.specialMask) blocking &= ~s.mask;
    // In special fully nested mode a cascaded controller interrupts itself.
    if (s.specialFullyNested && this.#cascade) blocking &= ~(1 << CASCADE);
    for (let step = 1; step <= 8; step++) {
      const input = (s.lowestPriority + step) & 7;
      if (blocking & (1 << input)) return -1;
      if (waiting & (1 << input)) return input;
    }
    return -1;
  }

  /** Interrupt acknowledge: returns the input, which is now in service. */
  acknowledge(): number {
    const s = this.state;
    const input = this.pending();
    if (input < 0) return SPURIOUS;
    const bit = 1 << input;
    if (!this.#levelTriggered(bit)) s.requested &= ~bit;
    if (!s.autoEoi) s.inService |= bit;
    else if (s.rotateOnAutoEoi) s.lowestPriority = input;
    return input;
  }

  readCommand(): number {
    const s = this.state;
    if (s.poll) return this.#pollRead();
    return s.readIsr ? s.inService : s.requested;
  }

  readData(): number {
    return this.state.poll ? this.#pollRead() : this.state.mask;
  }

  writeCommand(value: number): void {
    if (value & ICW1_INIT) this.#initialise(value);
    else if (value & OCW3) this.#operate(value);
    else this.#endOfInterrupt(value);
    this.#onChange();
  }

  writeData(value: number): void {
    const s = this.state;
    switch (s.initStep) {
      case 0: // OCW1
        s.mask = value;
        break;
      case 1: // ICW2
        s.vectorBase = value & 0xf8;
        s.initStep = s.single ? (s.needIcw4 ? 3 : 0) : 2;
        break;
      case 2: // ICW3: the wiring is the PC's
        s.initStep = s.needIcw4 ? 3 : 0;
        break;
      case 3: // ICW4
        s.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        s.specialFullyNested = (value & ICW4_SPECIAL_FULLY_NESTED) !== 0;
        s.initStep = 0;
        break;
    }
    this.#onChange();
  }

  get elcr(): number {
    return this.state.elcr;
  }

  set elcr(value: number) {
    this.state.elcr = value & this.#elcrWritable;
  }

  #levelTriggered(bit: number): boolean {
    return this.state.levelMode || (this.state.elcr & bit) !== 0;
  }

  #initialise(icw1: number): void {
    const { elcr, levels, vectorBase } = this.state;
    // Edges seen before are forgotten; levels still count.
    const requested = icw1 & ICW1_LEVEL ? levels : levels & elcr;
    this.state = {
      ...freshState(),
      elcr,
      levels,
      vectorBase,
      requested,
      initStep: 1,
      needIcw4: (icw1 & ICW1_NEED_ICW4) !== 0,
      single: (icw1 & ICW1_SINGLE) !== 0,
      levelMode: (icw1 & ICW1_LEVEL) !== 0,
    };
  }

  #operate(ocw3: number): void {
    const s = this.state;
    if (ocw3 & OCW3_POLL) s.poll = true;
    if (ocw3 & OCW3_READ_REGISTER) s.readIsr = (ocw3 & OCW3_READ_ISR) !== 0;
    if (ocw3 & OCW3_SET_SPECIAL_MASK) s.specialMask = (ocw3 & OCW3_SPECIAL_MASK) !== 0;
  }

  /** OCW2: bits 7:5 rotate, specific, EOI; bits 2:0 the level. */
  #endOfInterrupt(ocw2: number): void {
    const s = this.state;
    const level = ocw2 & 7;
    switch (ocw2 >> 5) {
      case 0: // rotate in automatic EOI mode, clear
        s.rotateOnAutoEoi = false;
        break;
      case 4: // rotate in automatic EOI mode, set
        s.rotateOnAutoEoi = true;
        break;
      case 1: // non-specific EOI
      case 5: {
        const served = this.#highestInService();
        if (served < 0) break;
        s.inService &= ~(1 << served);
        if (ocw2 >> 5 === 5) s.lowestPriority = served;
        break;
      }
      case 3: // specific EOI
        s.inService &= ~(1 << level);
        break;
      case 7: // rotate on specific EOI
        s.inService &= ~(1 << level);
        s.lowestPriority = level;
        break;
      case 6: // set priority
        s.lowestPriority = level;
        break;
      default: // no operation
    }
  }

  #highestInService(): number {
    const s = this.state;
    const served = s.specialMask ? s.inService & ~s.mask : s.inService;
    for (let step = 1; step <= 8; step++) {
      const input = (s.lowestPriority + step) & 7;
      if (served & (1 << input)) return input;
    }
    return -1;
  }

  /** The poll command makes the next read an acknowledge: bit 7 if one was pending, and its number. */
  #pollRead(): number {
    this.state.poll = false;
    const pending = this.pending();
    if (pending < 0) return 0;
    this.acknowledge();
    this.#onChange();
    return 0x80 | pending;
  }
}

export interface Pic8259Options {
  /** INTR: to LINT0 of the bootstrap processor. */
  readonly output: InterruptLine;
}

export class Pic8259 implements Device {
  readonly name = 'pic-8259';
  /** Ports 0x20 and 0x21. */
  readonly primary: RegisterBank;
  /** Ports 0xa0 and 0xa1. */
  readonly secondary: RegisterBank;
  /** Ports 0x4d0 and 0x4d1. */
  readonly elcr: RegisterBank;
  readonly persist: Persist<Pic8259State>;
  readonly #first: Controller;
  readonly #second: Controller;
  readonly #output: InterruptLine;

  constructor(options: Pic8259Options) {
    this.#output = options.output;
    // Inputs 0, 1, 2, 8 and 13 are edge-triggered for ever.
    this.#first = new Controller(0xf8, true, () => this.#update());
    this.#second = new Controller(0xde, false, () => this.#updateCascade());
    this.primary = ports(this.#first);
    this.secondary = ports(this.#second);
    this.elcr = byteBank(
      (offset) => (offset === 0 ? this.#first : this.#second).elcr,
      (offset, value) => {
        (offset === 0 ? this.#first : this.#second).elcr = value;
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({ primary: { ...this.#first.state }, secondary: { ...this.#second.state } }),
      load: (state) => {
        this.#first.state = state.primary;
        this.#second.state = state.secondary;
      },
    });
  }

  reset(): void {
    this.#first.state = freshState();
    this.#second.state = freshState();
    this.#output.set(false);
  }

  /** ISA interrupt `irq`, 0 to 15 (2 is the cascade and leads nowhere). */
  line(irq: number): InterruptLine {
    if (irq === CASCADE) return { set() {} };
    return irq < 8
      ? { set: (level) => this.#first.setInput(irq, level) }
      : { set: (level) => this.#second.setInput(irq - 8, level) };
  }

  /** Interrupt acknowledge cycle: the vector. A request that is gone yields the spurious one. */
  acknowledge(): number {
    const input = this.#first.acknowledge();
    let vector = this.#first.state.vectorBase + input;
    if (input === CASCADE) {
      vector = this.#second.state.vectorBase + this.#second.acknowledge();
      // The second controller's output falls during the cycle, so what still waits there is a new edge.
      this.#first.setInput(CASCADE, false);
      this.#updateCascade();
    }
    this.#update();
    return vector;
  }

  #updateCascade(): void {
    this.#first.setInput(CASCADE, this.#second.pending() >= 0);
  }

  #update(): void {
    this.#output.set(this.#first.pending() >= 0);
  }
}

function ports(controller: Controller): RegisterBank {
  return byteBank(
    (offset) => (offset === 0 ? controller.readCommand() : controller.readData()),
    (offset, value) =>
      offset === 0 ? controller.writeCommand(value) : controller.writeData(value),
  );
}
