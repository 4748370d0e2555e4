import type { Encoding } from './encoding.ts';
import type { OpcodeTable } from './opcode-table.ts';
import type { AddressKind, Shape } from './shape.ts';
import {
  CS,
  DS,
  ES,
  FS,
  GS,
  gprOffset,
  RBP,
  RSP,
  SS,
  STATE,
  segmentBaseOffset,
  xmmOffset,
} from './state.ts';

/** The processor mode that decoding depends on. */
export interface CodeMode {
  /** default operation size of the code segment, or 64-bit mode */
  readonly bits: 16 | 32 | 64;
  readonly stackSize: 16 | 32 | 64;
  /** real or virtual-8086 mode */
  readonly real: boolean;
  /** ES, CS, SS or DS is not a usable segment of 4 GiB from address 0: accesses and fetches are checked */
  readonly checked?: boolean;
}

/** An instruction is at most this long; more is #GP. SDM Vol. 2A, 2.3.11. */
export const MAX_INSTRUCTION_BYTES = 15;

export const DECODED = 0;
/** The bytes given end inside the instruction. */
export const TRUNCATED = 1;
/** No such instruction in this mode: #UD. */
export const UNDEFINED = 2;
/** Longer than 15 bytes: #GP(0). */
export const TOO_LONG = 3;

const NO_SEGMENT = -1;
/** Segments that `CodeMode.checked` speaks for, as far as data goes. */
const MAY_BE_FLAT: ReadonlySet<number> = new Set([ES, SS, DS]);

/**
 * Decodes one instruction at a time into its own fields, which stay valid until the next call: no
 * allocation on the way. SDM Vol. 2A chapter 2.
 */
export class Decoder {
  readonly #candidates: OpcodeTable['candidates'];
  readonly #supports: (feature: string) => boolean;
  readonly #enabled = new Map<Encoding, boolean>();

  encoding!: Encoding;
  length = 0;
  operandSize: 16 | 32 | 64 = 32;
  addressSize: 16 | 32 | 64 = 64;
  memory: AddressKind | undefined;
  repeat: Shape['repeat'] = 'none';
  lock = false;
  vectorLength: 128 | 256 | undefined;
  /** accesses are checked against segments: the mode says so, or a segment that may be anything is named */
  checked = false;
  // Resolved operands: state offsets.
  a = 0;
  b = 0;
  c = 0;
  base: number = STATE.zero;
  index: number = STATE.zero;
  segment: number = STATE.zero;
  scale = 0;
  displacement = 0;
  /** low and high half of the sign-extended immediate */
  immediateLow = 0;
  immediateHigh = 0;
  /** relative branch displacement */
  relative = 0;

  #bytes!: Uint8Array;
  #at = 0;
  #end = 0;
  #rex = 0;
  #ripRelative = false;
  #truncated = false;
  /** the index of the memory operand is a vector register (VSIB). SDM Vol. 2A, 2.3.12 */
  #vectorIndex = false;

  /** @param supports whether CPUID announces a feature: gated encodings are undefined without */
  constructor(table: OpcodeTable, supports: (feature: string) => boolean) {
    this.#candidates = table.candidates;
    this.#supports = supports;
  }

  /** Decodes at `bytes[start]`; bytes from `end` on do not exist. Returns DECODED or why not. */
  decode(bytes: Uint8Array, start: number, end: number, mode: CodeMode): number {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = Math.min(end, start + MAX_INSTRUCTION_BYTES);
    this.#rex = 0;
    this.#truncated = false;
    this.#vectorIndex = false;
    const long = mode.bits === 64;
    let operandPrefix = false;
    let addressPrefix = false;
    let repeatPrefix = 0;
    let lock = false;
    let segment = NO_SEGMENT;

    // Legacy prefixes, then REX.
    let byte = this.#byte();
    prefixes: for (;;) {
      switch (byte) {
        case 0x66:
          operandPrefix = true;
          break;
        case 0x67:
          addressPrefix = true;
          break;
        case 0xf2:
        case 0xf3:
          repeatPrefix = byte;
          break;
        case 0xf0:
          lock = true;
          break;
        case 0x26:
          if (!long) segment = ES;
          break;
        case 0x2e:
          if (!long) segment = CS;
          break;
        case 0x36:
          if (!long) segment = SS;
          break;
        case 0x3e:
          if (!long) segment = DS;
          break;
        case 0x64:
          segment = FS;
          break;
        case 0x65:
          segment = GS;
          break;
        default:
          if (long && (byte & 0xf0) === 0x40) {
            // A REX that is not the last prefix is ignored.
            this.#rex = byte;
            byte = this.#byte();
            if (this.#truncated) return this.#outOfBytes(end, start);
            if (isLegacyPrefix(byte) || (byte & 0xf0) === 0x40) {
              this.#rex = 0;
              continue;
            }
          }
          break prefixes;
      }
      byte = this.#byte();
      if (this.#truncated) return this.#outOfBytes(end, start);
    }

    // Opcode map.
    let table = 0;
    let vexL = 0;
    let vexV = 0;
    let vex = false;
    if (byte === 0x0f) {
      byte = this.#byte();
      table = 1;
      if (byte === 0x38) {
        byte = this.#byte();
        table = 2;
      } else if (byte === 0x3a) {
        byte = this.#byte();
        table = 3;
      }
    } else if ((byte === 0xc4 || byte === 0xc5) && !mode.real) {
      const next = this.#peek();
      if (long || (next & 0xc0) === 0xc0) {
        if (this.#truncated) return this.#outOfBytes(end, start);
        if (operandPrefix || repeatPrefix !== 0 || lock || this.#rex !== 0) return UNDEFINED;
        vex = true;
        const first = this.#byte();
        let last = first;
        let rex = (~first >> 5) & 4; // R
        let map = 1;
        if (byte === 0xc4) {
          rex = (~first >> 5) & 7; // R X B
          map = first & 0x1f;
          last = this.#byte();
          if ((last & 0x80) !== 0) rex |= 8; // W
        }
        if (!long) rex &= 8;
        this.#rex = 0x40 | rex;
        vexV = (~last >> 3) & 15;
        vexL = (last >> 2) & 1;
        const pp = last & 3;
        operandPrefix = pp === 1;
        repeatPrefix = pp === 2 ? 0xf3 : pp === 3 ? 0xf2 : 0;
        if (map < 1 || map > 3) return this.#truncated ? this.#outOfBytes(end, start) : UNDEFINED;
        table = 4 + map;
        byte = this.#byte();
      }
    }
    if (this.#truncated) return this.#outOfBytes(end, start);

    const candidates = this.#candidates[table * 256 + byte];
    if (candidates === undefined) return UNDEFINED;
    const rexW = (this.#rex >> 3) & 1;
    let modrm = -1;
    let found: Encoding | undefined;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as Encoding;
      if (candidate.hasModrm && modrm < 0) {
        modrm = this.#peek();
        if (this.#truncated) return this.#outOfBytes(end, start);
      }
      if (candidate.modrm >= 0) {
        if (candidate.stack ? (modrm & 0xf8) !== candidate.modrm : modrm !== candidate.modrm)
          continue;
      }
      if (candidate.digit >= 0 && ((modrm >> 3) & 7) !== candidate.digit) continue;
      if (candidate.mod !== 'any' && modrm >= 0xc0 !== (candidate.mod === 'register')) {
        // MOV to and from control and debug registers ignores ModRM.mod.
        continue;
      }
      if (candidate.prefix >= 0) {
        if (
          candidate.prefix === 0x66
            ? !operandPrefix || repeatPrefix !== 0
            : repeatPrefix !== candidate.prefix
        )
          continue;
        if (candidate.prefix === 0 && operandPrefix) continue;
      } else if (repeatPrefix !== 0 && candidate.attributes.has('norep')) continue;
      if (candidate.w >= 0 && candidate.w !== rexW) continue;
      if (candidate.vex !== undefined) {
        if (candidate.vex.l >= 0 && candidate.vex.l !== vexL) continue;
        if (!candidate.usesVvvv && vexV !== 0) continue;
      }
      if (!this.#valid(candidate, mode)) continue;
      found = candidate;
      break;
    }
    if (found === undefined) return UNDEFINED;
    // MOV of a control or debug register that does not exist.
    if (table === 1 && byte >= 0x20 && byte <= 0x23) {
      const number = ((modrm >> 3) & 7) | ((this.#rex & 4) << 1);
      const registers = (byte & 1) === 0 ? CONTROL_REGISTERS : DEBUG_REGISTERS;
      if (((registers >> number) & 1) === 0) return UNDEFINED;
    }
    this.encoding = found;
    const attributes = found.attributes;

    // Sizes.
    const addressSize = long
      ? addressPrefix
        ? 32
        : 64
      : (mode.bits === 32) !== addressPrefix
        ? 32
        : 16;
    this.addressSize = addressSize;
    const effectivePrefix = operandPrefix && found.prefix !== 0x66;
    if (long) {
      if (rexW === 1 || attributes.has('f64')) this.operandSize = 64;
      else if (effectivePrefix) this.operandSize = 16;
      else this.operandSize = attributes.has('d64') ? 64 : 32;
    } else this.operandSize = (mode.bits === 32) !== effectivePrefix ? 32 : 16;
    this.vectorLength = vex ? (vexL === 1 ? 256 : 128) : undefined;
    this.repeat =
      attributes.has('rep') && repeatPrefix !== 0
        ? repeatPrefix === 0xf3
          ? 'rep'
          : 'repne'
        : 'none';
    this.lock = lock;

    // ModRM, SIB, displacement.
    this.memory = undefined;
    this.base = STATE.zero;
    this.index = STATE.zero;
    this.scale = 0;
    this.displacement = 0;
    let ripRelative = false;
    let defaultSegment = DS;
    if (found.hasModrm) {
      this.#at++;
      if (modrm < 0xc0 && !found.operands.some(ignoresMod)) {
        this.#vectorIndex = attributes.has('vsib');
        if (this.#vectorIndex && (addressSize === 16 || (modrm & 7) !== 4)) return UNDEFINED;
        if (addressSize === 16) defaultSegment = this.#address16(modrm);
        else {
          defaultSegment = this.#address32(modrm);
          ripRelative = defaultSegment === RIP_RELATIVE;
          if (ripRelative && long) defaultSegment = DS;
          else if (ripRelative) {
            ripRelative = false;
            defaultSegment = DS;
          }
        }
        this.memory = 'bd64'; // refined below
      }
    }
    if (lock && (!attributes.has('lock') || this.memory === undefined)) {
      return this.#truncated ? this.#outOfBytes(end, start) : UNDEFINED;
    }

    this.#immediate(found, addressSize);
    if (this.#truncated) return this.#outOfBytes(end, start);
    this.length = this.#at - start;

    // Segment and address kind.
    const effective = segment === NO_SEGMENT ? defaultSegment : segment;
    if (long)
      this.segment =
        effective === FS || effective === GS ? segmentBaseOffset(effective) : STATE.zero;
    else this.segment = segmentBaseOffset(effective);
    this.checked =
      !long && (mode.checked === true || (segment !== NO_SEGMENT && !MAY_BE_FLAT.has(segment)));
    if (found.immediate === 'offset') this.memory = 'offset';
    else if (this.memory !== undefined) {
      if (addressSize === 16) this.memory = 'seg16';
      else if (addressSize === 32) this.memory = 'seg32';
      else if (this.segment !== STATE.zero) this.memory = 'seg64';
      else this.memory = this.index === STATE.zero ? 'bd64' : 'bis64';
    }
    this.#slots(found, modrm, byte, vexV, long);
    if (
      this.#vectorIndex &&
      (this.a === this.b || this.a === this.index || this.b === this.index)
    ) {
      return UNDEFINED;
    }
    this.#ripRelative = ripRelative;
    if (ripRelative) this.base = STATE.ripBase;
    return DECODED;
  }

  /**
   * Turns a RIP-relative displacement (from the next instruction) into one from ripBase, the RIP of the
   * first byte of the page. Call after each decode, with the offset of the instruction in its page.
   */
  rebase(pageOffset: number): void {
    if (!this.#ripRelative) return;
    this.#ripRelative = false;
    const displacement = this.displacement + pageOffset + this.length;
    if (displacement === (displacement | 0)) this.displacement = displacement;
    else {
      this.displacement = displacement - 0x4000;
      this.index = STATE.constant4000;
      if (this.memory === 'bd64') this.memory = 'bis64';
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) {
      this.#truncated = true;
      return 0;
    }
    return this.#bytes[this.#at++] as number;
  }

  #peek(): number {
    if (this.#at >= this.#end) {
      this.#truncated = true;
      return 0;
    }
    return this.#bytes[this.#at] as number;
  }

  #word(): number {
    const low = this.#byte();
    return low | (this.#byte() << 8);
  }

  #dword(): number {
    const low = this.#word();
    return low | (this.#word() << 16);
  }

  #outOfBytes(end: number, start: number): number {
    return end - start >= MAX_INSTRUCTION_BYTES ? TOO_LONG : TRUNCATED;
  }

  #valid(encoding: Encoding, mode: CodeMode): boolean {
    const attributes = encoding.attributes;
    if (mode.bits === 64) {
      if (attributes.has('no64')) return false;
    } else {
      if (attributes.has('only64')) return false;
      if (mode.real && attributes.has('noreal')) return false;
    }
    let enabled = this.#enabled.get(encoding);
    if (enabled === undefined) {
      enabled = true;
      for (const attribute of attributes) {
        if (attribute.startsWith('cpuid:') && !this.#supports(attribute.slice(6))) enabled = false;
      }
      this.#enabled.set(encoding, enabled);
    }
    return enabled;
  }

  /** Forgets which encodings CPUID gates: call when the announced features change. */
  featuresChanged(): void {
    this.#enabled.clear();
  }

  /** SDM Vol. 2A, Table 2-1. Returns the default segment. */
  #address16(modrm: number): number {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    let segment = DS;
    if (mod === 0 && rm === 6) {
      this.displacement = (this.#word() << 16) >> 16;
      return DS;
    }
    const bases = [3, 3, 5, 5, 6, 7, 5, 3]; // BX BX BP BP SI DI BP BX
    this.base = gprOffset(bases[rm] as number);
    if (rm < 4) this.index = gprOffset((rm & 1) === 0 ? 6 : 7); // SI DI
    if (rm === 2 || rm === 3 || rm === 6) segment = SS;
    if (mod === 1) this.displacement = (this.#byte() << 24) >> 24;
    else if (mod === 2) this.displacement = (this.#word() << 16) >> 16;
    return segment;
  }

  /** SDM Vol. 2A, Tables 2-2 and 2-3, with REX. Returns the default segment, or RIP_RELATIVE. */
  #address32(modrm: number): number {
    const mod = modrm >> 6;
    let rm = modrm & 7;
    let segment = DS;
    if (rm === 4) {
      const sib = this.#byte();
      const index = ((sib >> 3) & 7) | ((this.#rex & 2) << 2);
      if (this.#vectorIndex) {
        this.index = xmmOffset(index);
        this.scale = sib >> 6;
      } else if (index !== 4) {
        this.index = gprOffset(index);
        this.scale = sib >> 6;
      }
      rm = sib & 7;
      if (rm === 5 && mod === 0) {
        this.displacement = this.#dword();
        return DS;
      }
      if (rm === RSP || rm === RBP) segment = (this.#rex & 1) === 0 ? SS : DS;
      this.base = gprOffset(rm | ((this.#rex & 1) << 3));
    } else if (rm === 5 && mod === 0) {
      this.displacement = this.#dword();
      return RIP_RELATIVE;
    } else {
      if (rm === RBP && (this.#rex & 1) === 0) segment = SS;
      this.base = gprOffset(rm | ((this.#rex & 1) << 3));
    }
    if (mod === 1) this.displacement = (this.#byte() << 24) >> 24;
    else if (mod === 2) this.displacement = this.#dword();
    return segment;
  }

  #immediate(encoding: Encoding, addressSize: number): void {
    this.immediateLow = 0;
    this.immediateHigh = 0;
    this.relative = 0;
    switch (encoding.immediate) {
      case 'none':
        return;
      case 'b':
        this.immediateLow = (this.#byte() << 24) >> 24;
        break;
      case 'w':
        this.immediateLow = (this.#word() << 16) >> 16;
        break;
      case 'd':
        this.immediateLow = this.#dword();
        break;
      case 'z':
        this.immediateLow = this.operandSize === 16 ? (this.#word() << 16) >> 16 : this.#dword();
        break;
      case 'v':
        if (this.operandSize === 64) {
          this.immediateLow = this.#dword();
          this.immediateHigh = this.#dword();
          return;
        }
        this.immediateLow = this.operandSize === 16 ? (this.#word() << 16) >> 16 : this.#dword();
        break;
      case 'wb':
        this.immediateLow = this.#word();
        this.immediateLow |= this.#byte() << 16;
        break;
      case 'far':
        // Offset in the low half, selector in the high half.
        this.immediateLow = this.operandSize === 16 ? this.#word() : this.#dword();
        this.immediateHigh = this.#word();
        return;
      case 'offset':
        this.immediateLow = addressSize === 16 ? this.#word() : this.#dword();
        this.immediateHigh = addressSize === 64 ? this.#dword() : 0;
        return;
      case 'relb':
        this.relative = (this.#byte() << 24) >> 24;
        this.displacement = this.relative;
        return;
      case 'relz':
        this.relative = this.operandSize === 16 ? (this.#word() << 16) >> 16 : this.#dword();
        this.displacement = this.relative;
        return;
    }
    this.immediateHigh = this.immediateLow >> 31;
  }

  /** State offset of an operand's register, by its letter. */
  #slots(encoding: Encoding, modrm: number, opcode: number, vexV: number, long: boolean): void {
    const reg = ((modrm >> 3) & 7) | ((this.#rex & 4) << 1);
    const rm = (modrm & 7) | ((this.#rex & 1) << 3);
    const registers = long ? 15 : 7;
    let next = 0;
    const operands = encoding.operands;
    for (let i = 0; i < operands.length; i++) {
      const { letter, size } = operands[i] as { letter: string; size: string };
      let offset = 0;
      switch (letter) {
        case 'E':
        case 'R':
          if (this.memory !== undefined) continue;
          offset = this.#general(rm, size);
          break;
        case 'G':
          offset = this.#general(reg, size);
          break;
        case 'B':
          offset = gprOffset(vexV & registers);
          break;
        case 'Z':
          offset = this.#general((opcode & 7) | ((this.#rex & 1) << 3), size);
          break;
        case 'V':
          offset = xmmOffset(reg);
          break;
        case 'W':
        case 'U':
          if (this.memory !== undefined) continue;
          offset = xmmOffset(rm);
          break;
        case 'H':
          offset = xmmOffset(vexV & registers);
          break;
        case 'L':
          offset = xmmOffset((this.immediateLow >> 4) & registers);
          break;
        case 'P':
          offset = STATE.fpr + 16 * (reg & 7);
          break;
        case 'Q':
        case 'N':
          if (this.memory !== undefined) continue;
          offset = STATE.fpr + 16 * (rm & 7);
          break;
        case 'S':
          this.immediateLow = reg & 7;
          continue;
        case 'C':
        case 'D':
          this.immediateLow = reg;
          continue;
        case 'i':
          this.immediateLow = modrm & 7;
          continue;
        default:
          continue;
      }
      if (next === 0) this.a = offset;
      else if (next === 1) this.b = offset;
      else if (next === 2) this.c = offset;
      else this.base = offset;
      next++;
    }
  }

  #general(index: number, size: string): number {
    if (size === 'b' && this.#rex === 0 && index >= 4) return gprOffset(index - 4) + 1; // AH CH DH BH
    return gprOffset(index);
  }
}

/** CR0, CR2, CR3, CR4 and CR8; DR0 to DR7: a bit each. */
const CONTROL_REGISTERS = 0x11d;
const DEBUG_REGISTERS = 0xff;

/** Marks a RIP-relative address (no segment has this number). */
const RIP_RELATIVE = 100;

function ignoresMod({ letter }: { letter: string }): boolean {
  return letter === 'C' || letter === 'D';
}

function isLegacyPrefix(byte: number): boolean {
  switch (byte) {
    case 0x66:
    case 0x67:
    case 0xf2:
    case 0xf3:
    case 0xf0:
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
      return true;
    default:
      return false;
  }
}
