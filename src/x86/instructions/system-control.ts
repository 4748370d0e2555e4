/** Control and debug registers, descriptor tables, translations, caches, HLT. */

import { EFLAGS } from '../cpu-state.ts';
import { GP, UD } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { LDTR, SEGMENT, STATE, TR } from '../state.ts';
import { CR4 } from '../system/control-bits.ts';
import { closesWindow, shadowMark } from './interrupt-window.ts';

/** MOV r, CRn and MOV CRn, r: always a register, whatever ModRM.mod says. SDM Vol. 2B "MOV—Move to/from Control Registers". */
const moveFromControl = define(
  'mov',
  [form('0F 20 /r', 'Ey Cy', 'cpl0', 'f64')],
  (b, [destination, control]) => {
    b.helper('moveFromControl', b.wrap(control.read()), destination.stateOffset());
  },
);
const moveToControl = define(
  'mov',
  [form('0F 22 /r', 'Cy Ey', 'cpl0', 'f64', 'serializes')],
  (b, [control, source]) => {
    b.helper('moveToControl', b.wrap(control.read()), source.readUnsigned());
  },
);

/** MOV r, DRn and MOV DRn, r. */
const moveFromDebug = define(
  'mov',
  [form('0F 21 /r', 'Ey Dy', 'cpl0', 'f64')],
  (b, [destination, debug]) => {
    b.helper('moveFromDebug', b.wrap(debug.read()), destination.stateOffset());
  },
);
const moveToDebug = define(
  'mov',
  [form('0F 23 /r', 'Dy Ey', 'cpl0', 'f64', 'serializes')],
  (b, [debug, source]) => {
    b.helper('moveToDebug', b.wrap(debug.read()), source.readUnsigned());
  },
);

const clts = define('clts', [form('0F 06', '', 'cpl0', 'serializes')], (b) => b.helper('clts'));

const lmsw = define('lmsw', [form('0F 01 /6', 'Ew', 'cpl0', 'serializes')], (b, [source]) => {
  b.helper('lmsw', b.wrap(source.readUnsigned()));
});

/** CR4.UMIP keeps SGDT, SIDT, SLDT, STR and SMSW from user code. */
function requireNoUmip(b: Semantics): void {
  const umip = b.and(b.readField32(STATE.cr4), b.i32(CR4.UMIP));
  const user = b.readField32(STATE.cpl);
  b.if(b.and(b.ne(umip, b.i32(0)), b.ne(user, b.i32(0))), () => b.fault(GP));
}

/** Two bytes to memory, the operand size to a register. */
function storeWord(b: Semantics, destination: Operand, offset: number, whole = false): void {
  const access = whole ? 'i64' : 'i64.16u';
  const value = b.readState({ kind: 'fixed', offset }, access);
  if (destination.kind === 'memory') b.store(destination.address(), 16, value);
  else destination.write(value);
}

/** SMSW: CR0 (all of it at the operand size to a register). SDM Vol. 2B "SMSW". */
const smsw = define('smsw', [form('0F 01 /4', 'Ev')], (b, [destination]) => {
  requireNoUmip(b);
  storeWord(b, destination, STATE.cr0, true);
});

function storeSelector(name: string, opcode: string, index: number): Instruction {
  return define(name, [form(opcode, 'Ev', 'noreal')], (b, [destination]) => {
    requireNoUmip(b);
    storeWord(b, destination, STATE.segments + index * SEGMENT.bytes + SEGMENT.selector);
  });
}

/** LGDT, LIDT, SGDT, SIDT. The helper knows the width of the base. */
function loadTable(name: string, opcode: string): Instruction {
  return define(name, [form(opcode, 'Ms', 'cpl0')], (b, [table]) => {
    b.helper(name, table.address(), b.i32(b.shape.operandSize));
  });
}
function storeTable(name: string, opcode: string): Instruction {
  return define(name, [form(opcode, 'Ms')], (b, [table]) => b.helper(name, table.address()));
}

/** LLDT, LTR (privileged), VERR, VERW: a selector in r/m16. */
function selectorInstruction(
  name: string,
  opcode: string,
  ...attributes: ('cpl0' | 'noreal')[]
): Instruction {
  return define(name, [form(opcode, 'Ew', ...attributes)], (b, [source]) => {
    b.helper(name, b.wrap(source.readUnsigned()));
  });
}

/** LAR, LSL: ZF says whether the destination was written. SDM Vol. 2A "LAR", "LSL". */
function selectorQuery(name: string, opcode: string): Instruction {
  return define(name, [form(opcode, 'Gv Ew', 'noreal')], (b, [destination, source]) => {
    b.helper(name, b.wrap(source.readUnsigned()));
    b.if(b.zeroFlag, () => destination.write(b.readField(STATE.scratch)));
  });
}

/** ARPL: raises the destination's RPL to the source's. SDM Vol. 2A "ARPL". */
const arpl = define(
  'arpl',
  [form('63 /r', 'Ew Gw', 'no64', 'noreal')],
  (b, [destination, source]) => {
    const before = destination.read();
    const rpl = b.and(source.readUnsigned(), b.i64(3));
    const lower = b.ltU(b.and(before, b.i64(3)), rpl);
    const raised = b.or(b.and(before, b.i64(~3n)), rpl);
    b.if(lower, () => destination.write(raised));
    b.setZeroFrom(b.widen(b.eqz(lower)));
  },
);

const invlpg = define(
  'invlpg',
  [form('0F 01 /7 mod!=3', 'Mb', 'cpl0', 'serializes')],
  (b, [page]) => {
    b.helper('invlpg', page.address());
  },
);

const invpcid = define(
  'invpcid',
  [form('66 0F 38 82 /r mod!=3', 'Gy Mdq', 'cpl0', 'f64', 'serializes', 'cpuid:invpcid')],
  (b, [type, descriptor]) => {
    b.helper('invpcid', type.readUnsigned(), descriptor.address());
  },
);

const rdpkru = define('rdpkru', [form('NP 0F 01 EE', '', 'cpuid:pku')], (b) => b.helper('rdpkru'));
const wrpkru = define('wrpkru', [form('NP 0F 01 EF', '', 'cpuid:pku')], (b) => b.helper('wrpkru'));

/** INVD, WBINVD: there is no cache to lose. */
const cacheControl = define(
  'wbinvd',
  [form('0F 08', '', 'cpl0'), form('0F 09', '', 'cpl0')],
  () => {},
);

const hlt = define('hlt', [form('F4', '', 'cpl0')], (b) => b.helper('hlt'));

/** CLI and STI obey IOPL. After STI interrupts wait for one more instruction. SDM Vol. 2B "STI". */
function requireIopl(b: Semantics): void {
  const iopl = b.and(b.shrU(b.readField32(STATE.eflags), b.i32(12)), b.i32(3));
  b.if(b.ltU(iopl, b.readField32(STATE.cpl)), () => b.fault(GP));
}

const cli = define('cli', [form('FA')], (b) => {
  requireIopl(b);
  const flags = b.readField32(STATE.eflags);
  b.if(
    closesWindow(b, flags),
    () => b.helper('closeWindow'),
    () => b.writeField32(STATE.eflags, b.and(flags, b.i32(~EFLAGS.IF))),
  );
});

const sti = define('sti', [form('FB')], (b) => {
  requireIopl(b);
  const flags = b.readField32(STATE.eflags);
  b.if(b.eqz(b.and(flags, b.i32(EFLAGS.IF))), () => {
    b.writeField32(STATE.eflags, b.or(flags, b.i32(EFLAGS.IF)));
    b.writeField32(STATE.interruptShadow, shadowMark(b, b.parameter('nextRip')));
    b.writeField32(STATE.attention, b.readField32(STATE.interruptPending));
  });
});

/** STAC, CLAC: the SMAP override; #UD, not #GP, outside level 0. SDM Vol. 2A "CLAC", Vol. 2B "STAC". */
function accessOverride(name: string, opcode: string, on: 0 | 1): Instruction {
  return define(name, [form(opcode, '', 'cpuid:smap')], (b) => {
    b.if(b.readField32(STATE.cpl), () => b.fault(UD));
    const slow = (): void => b.helper('setAccessOverride', b.i32(on));
    if (b.shape.mode !== 64) {
      slow();
      return;
    }
    b.if(b.eqz(b.readField32(STATE.tlbs + (on === 1 ? 8 : 4))), slow, () => {
      const flags = b.readField32(STATE.eflags);
      const after = on === 1 ? b.or(flags, b.i32(EFLAGS.AC)) : b.and(flags, b.i32(~EFLAGS.AC));
      b.writeField32(STATE.eflags, after);
      b.privilegeChanged();
    });
  });
}

export const systemControlInstructions: readonly Instruction[] = [
  moveFromControl,
  moveToControl,
  moveFromDebug,
  moveToDebug,
  clts,
  lmsw,
  smsw,
  storeSelector('sldt', '0F 00 /0', LDTR),
  storeSelector('str', '0F 00 /1', TR),
  selectorInstruction('lldt', '0F 00 /2', 'noreal', 'cpl0'),
  selectorInstruction('ltr', '0F 00 /3', 'noreal', 'cpl0'),
  selectorInstruction('verr', '0F 00 /4', 'noreal'),
  selectorInstruction('verw', '0F 00 /5', 'noreal'),
  storeTable('sgdt', '0F 01 /0 mod!=3'),
  storeTable('sidt', '0F 01 /1 mod!=3'),
  loadTable('lgdt', '0F 01 /2 mod!=3'),
  loadTable('lidt', '0F 01 /3 mod!=3'),
  selectorQuery('lar', '0F 02 /r'),
  selectorQuery('lsl', '0F 03 /r'),
  arpl,
  invlpg,
  invpcid,
  rdpkru,
  wrpkru,
  cacheControl,
  hlt,
  cli,
  sti,
  accessOverride('clac', '0F 01 CA', 0),
  accessOverride('stac', '0F 01 CB', 1),
];
