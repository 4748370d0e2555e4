import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EFLAGS } from '../cpu-state.ts';
import { canonicalFeature } from '../cpuid/mod.ts';
import { GP, type GuestFault, UD } from '../fault.ts';
import { CS, DS, FS, GS, RAX, RBX, RCX, RDX, RSP, STATE, segmentBaseOffset } from '../state.ts';
import { CR4 } from '../system/mod.ts';
import { DESCRIPTOR, faultOf } from '../system/test-cpu.fixture.ts';
import { instructions } from './mod.ts';
import { SystemProcessor, systemEncodings } from './system-program.fixture.ts';

const GDT = 0x2_0000;

function cpuIn(mode: 'real' | 'protected' | 'long', cpu = 'max'): SystemProcessor {
  const processor = new SystemProcessor(mode, cpu);
  const { state } = processor;
  processor.setDescriptor(GDT, 0x08, DESCRIPTOR.code32);
  processor.setDescriptor(GDT, 0x10, DESCRIPTOR.code64);
  processor.setDescriptor(GDT, 0x18, DESCRIPTOR.data);
  processor.setDescriptor(GDT, 0x28, DESCRIPTOR.userData);
  state.set64(STATE.gdtrBase, BigInt(GDT));
  state.set32(STATE.gdtrLimit, 0xff);
  state.setGpr(RSP, 0x5_0000n);
  return processor;
}

function vectorOf(run: () => void): number {
  const fault: GuestFault = faultOf(run);
  return fault.vector;
}

test('every feature that gates an instruction is one CPUID can announce', () => {
  for (const { name, forms } of instructions) {
    for (const attribute of forms.flatMap((form) => form.attributes)) {
      if (!attribute.startsWith('cpuid:')) continue;
      assert.ok(canonicalFeature(attribute.slice(6)) !== undefined, `${name}: ${attribute}`);
    }
  }
});

test('system instructions: privileged ones are #GP in user mode', () => {
  const privileged = systemEncodings.filter(({ attributes }) => attributes.has('cpl0'));
  assert.ok(privileged.length >= 18);
  const bytes = ['0f 20 c0', '0f 22 d8', '0f 30', 'f4', '0f 01 f8', '0f 06', '0f 08', '0f 01 38'];
  for (const hex of bytes) {
    const cpu = cpuIn('long');
    cpu.state.cpl = 3;
    assert.equal(
      vectorOf(() => cpu.execute(hex)),
      GP,
      hex,
    );
  }
});

test('MOV to and from control registers takes R8 to R15 and ignores ModRM.mod', () => {
  const cpu = cpuIn('long');
  cpu.state.setGpr(9, 0x1234_5000n);
  cpu.execute('41 0f 22 d9'); // mov cr3, r9
  assert.equal(cpu.state.cr3, 0x1234_5000n);
  cpu.execute('0f 20 1b'); // mov rbx, cr3 with mod = 0
  assert.equal(cpu.state.gpr(RBX), 0x1234_5000n);
  cpu.state.setGpr(RAX, 3n);
  cpu.execute('44 0f 22 c0'); // mov cr8, rax
  assert.equal(cpu.interrupts.taskPriority, 3);
  assert.equal(
    vectorOf(() => cpu.execute('0f 20 c8')),
    UD,
  ); // cr1
});

test('MOV from a segment writes two bytes to memory, a whole register otherwise', () => {
  const cpu = cpuIn('long');
  cpu.state.setSegment(FS, 0x1234, 0, 0, 0n);
  cpu.state.setGpr(RAX, -1n);
  cpu.state.setGpr(RBX, 0x3000n);
  cpu.view.setUint32(0x3000, 0xffff_ffff, true);
  cpu.execute('8c e0'); // mov eax, fs
  assert.equal(cpu.state.gpr(RAX), 0x1234n);
  cpu.execute('8c 23'); // mov [rbx], fs
  assert.equal(cpu.view.getUint32(0x3000, true), 0xffff_1234);
  assert.equal(
    vectorOf(() => cpu.execute('8c f0')),
    UD,
  ); // sixth segment
});

test('PUSH and POP of segments use the operand size', () => {
  const cpu = cpuIn('protected');
  cpu.state.setGpr(RAX, 0x28n);
  cpu.execute('8e d8'); // mov ds, ax
  cpu.execute('1e'); // push ds
  assert.equal(cpu.state.gpr(RSP), 0x4_fffcn);
  cpu.execute('66 0f a1'); // pop fs, 16 bits
  assert.equal(cpu.state.selector(FS), 0x28);
  assert.equal(cpu.state.gpr(RSP), 0x4_fffen);
  assert.equal(
    vectorOf(() => cpuIn('long').execute('1e')),
    UD,
  );
});

test('a far JMP in protected mode reads offset and selector from its bytes', () => {
  const cpu = cpuIn('protected');
  cpu.execute('ea 78 56 34 12 08 00');
  assert.deepEqual([cpu.redirectedTo, cpu.cs], [0x1234_5678n, 0x08]);
  cpu.execute('66 ea 78 56 08 00');
  assert.deepEqual([cpu.redirectedTo, cpu.cs], [0x5678n, 0x08]);
});

test('far JMP and CALL through memory: selector behind the offset', () => {
  const cpu = cpuIn('long');
  cpu.state.setGpr(RBX, 0x3000n);
  cpu.view.setUint32(0x3000, 0x9000, true);
  cpu.view.setUint16(0x3004, 0x10, true);
  cpu.execute('ff 2b'); // ljmp [rbx]
  assert.equal(cpu.redirectedTo, 0x9000n);
  cpu.view.setBigUint64(0x3000, 0xffff_8000_0000_0000n, true);
  cpu.view.setUint16(0x3008, 0x10, true);
  cpu.execute('48 ff 1b'); // lcall [rbx], 64-bit
  assert.equal(cpu.redirectedTo, 0xffff_8000_0000_0000n);
  assert.equal(cpu.view.getBigUint64(0x4_fff0, true), cpu.nextRip());
  cpu.execute('48 cb'); // lretq
  assert.equal(cpu.state.gpr(RSP), 0x5_0000n);
});

test('CLI and STI obey IOPL; STI opens a shadow only when it enables interrupts', () => {
  const cpu = cpuIn('long');
  cpu.state.set32(STATE.interruptPending, 0x8000_0000);
  cpu.execute('fb');
  assert.notEqual(cpu.state.get32(STATE.interruptShadow), 0);
  assert.equal(cpu.state.get32(STATE.attention), 0x8000_0000);
  cpu.state.set32(STATE.interruptShadow, 0);
  cpu.execute('fb');
  assert.equal(cpu.state.get32(STATE.interruptShadow), 0);
  cpu.execute('fa');
  assert.equal(cpu.state.systemFlags & EFLAGS.IF, 0);
  cpu.state.cpl = 3;
  assert.equal(
    vectorOf(() => cpu.execute('fa')),
    GP,
  );
  cpu.state.setFlags(EFLAGS.IOPL | 2);
  cpu.execute('fb');
});

test('IN and OUT name their port by immediate or DX and move one, two or four bytes', () => {
  const cpu = cpuIn('long');
  cpu.portValue = 0xff;
  cpu.state.setGpr(RDX, 0x1_03f8n);
  cpu.state.setGpr(RAX, 0xffff_ffff_1234_5678n);
  for (const hex of ['e6 80', 'ef', '66 ef', '48 ef', 'ec', 'e5 71']) cpu.execute(hex);
  assert.deepEqual(cpu.portLog, [
    'out 80 1 78',
    'out 3f8 4 12345678',
    'out 3f8 2 5678',
    'out 3f8 4 12345678',
    'in 3f8 1',
    'in 71 4',
  ]);
  assert.equal(cpu.state.gpr(RAX), 0xffn);
});

test('SWAPGS exchanges two bases; RDGSBASE and WRGSBASE need CR4.FSGSBASE', () => {
  const cpu = cpuIn('long');
  const { state } = cpu;
  state.set64(segmentBaseOffset(GS), 1n);
  state.set64(STATE.kernelGsBase, 2n);
  cpu.execute('0f 01 f8');
  assert.deepEqual([state.segmentBase(GS), state.get64(STATE.kernelGsBase)], [2n, 1n]);
  assert.equal(
    vectorOf(() => cpu.execute('f3 48 0f ae c8')),
    UD,
  );
  state.set32(STATE.cr4, CR4.PAE | CR4.FSGSBASE);
  state.setGpr(RAX, 0x7fff_0000_0000n);
  cpu.execute('f3 48 0f ae d8'); // wrgsbase rax
  cpu.execute('f3 48 0f ae cb'); // rdgsbase rbx
  assert.equal(state.gpr(RBX), 0x7fff_0000_0000n);
  cpu.execute('f3 0f ae cb'); // 32 bits
  assert.equal(state.gpr(RBX), 0n);
  state.setGpr(RAX, 1n << 47n);
  assert.equal(
    vectorOf(() => cpu.execute('f3 48 0f ae d0')),
    GP,
  );
});

test('RDTSC and RDTSCP add the offset and obey CR4.TSD in user mode', () => {
  const cpu = cpuIn('long');
  const { state } = cpu;
  cpu.tsc = 0x1_0000_0000n;
  state.set64(STATE.tscOffset, 5n);
  state.set64(STATE.tscAux, 9n);
  cpu.execute('0f 01 f9');
  assert.deepEqual([state.gpr(RAX), state.gpr(RDX), state.gpr(RCX)], [5n, 1n, 9n]);
  state.set32(STATE.cr4, CR4.PAE | CR4.TSD);
  cpu.execute('0f 31');
  state.cpl = 3;
  assert.equal(
    vectorOf(() => cpu.execute('0f 31')),
    GP,
  );
});

test('LAR and LSL leave the destination alone when the selector is not visible', () => {
  const cpu = cpuIn('long');
  cpu.state.setGpr(RAX, 0x5555n);
  cpu.state.setGpr(RCX, 0x28n);
  cpu.execute('0f 02 c1'); // lar eax, ecx
  assert.equal(cpu.state.gpr(RAX), 0x00cf_f200n);
  cpu.state.setGpr(RCX, 0x1000n);
  cpu.state.setGpr(RAX, 0xffff_ffff_0000_5555n);
  cpu.execute('0f 03 c1');
  assert.equal(cpu.state.gpr(RAX), 0xffff_ffff_0000_5555n);
  assert.equal(
    vectorOf(() => cpuIn('real').execute('0f 02 c1')),
    UD,
  );
});

test('ARPL raises an RPL and says so in ZF', () => {
  const cpu = cpuIn('protected');
  cpu.state.setGpr(RAX, 0x18n);
  cpu.state.setGpr(RCX, 0x2bn);
  cpu.execute('63 c8'); // arpl ax, cx
  assert.equal(cpu.state.gpr(RAX), 0x1bn);
  assert.equal(cpu.state.getFlags() & EFLAGS.ZF, EFLAGS.ZF);
  cpu.execute('63 c8');
  assert.equal(cpu.state.getFlags() & EFLAGS.ZF, 0);
});

test('INT, INTO and INT3 push the next instruction; a fault of theirs the same', () => {
  const cpu = cpuIn('real');
  cpu.view.setUint32(4 * 4, 0x0000_7000, true);
  cpu.view.setUint32(3 * 4, 0x0000_6000, true);
  cpu.execute('ce');
  assert.equal(cpu.redirectedTo, undefined);
  cpu.state.setFlags(EFLAGS.OF | 2);
  cpu.execute('ce');
  assert.equal(cpu.redirectedTo, 0x7000n);
  cpu.execute('cc');
  assert.equal(cpu.redirectedTo, 0x6000n);
});

test('CPUID fills four registers, HLT leaves, hypercalls the machine does not know are #UD', () => {
  const cpu = cpuIn('long');
  cpu.state.setGpr(RAX, -1n);
  cpu.state.setGpr(RAX, 0n);
  cpu.execute('0f a2');
  assert.equal(cpu.state.gpr(RBX), 0x6874_7541n); // 'Auth'
  cpu.execute('f4');
  assert.equal(cpu.halted, true);
  assert.equal(
    vectorOf(() => cpu.execute('0f 01 d9')),
    UD,
  );
});

test('STAC is undefined where SMAP is not announced', () => {
  assert.equal(
    vectorOf(() => cpuIn('long', 'v2,-smap').execute('0f 01 cb')),
    UD,
  );
  const cpu = cpuIn('long');
  cpu.execute('0f 01 cb');
  assert.equal(cpu.state.systemFlags & EFLAGS.AC, EFLAGS.AC);
  cpu.state.cpl = 3;
  assert.equal(
    vectorOf(() => cpu.execute('0f 01 ca')),
    UD,
  );
});

test('SMSW, SLDT and STR store two bytes to memory; SMSW a whole register', () => {
  const cpu = cpuIn('long');
  cpu.state.setGpr(RBX, 0x3000n);
  cpu.view.setUint32(0x3000, 0xffff_ffff, true);
  cpu.execute('0f 01 23'); // smsw [rbx]
  assert.equal(cpu.view.getUint32(0x3000, true) >>> 16, 0xffff);
  cpu.execute('0f 01 e0'); // smsw eax
  assert.equal(cpu.state.gpr(RAX), cpu.state.cr0 & 0xffff_ffffn);
  cpu.state.cpl = 3;
  cpu.state.set32(STATE.cr4, CR4.UMIP | CR4.PAE);
  assert.equal(
    vectorOf(() => cpu.execute('0f 01 e0')),
    GP,
  );
  assert.equal(
    vectorOf(() => cpu.execute('0f 00 c8')),
    GP,
  );
});

test('protected mode from real mode: LGDT, CR0.PE, far JMP', () => {
  const cpu = cpuIn('real');
  const { state } = cpu;
  state.setSegment(CS, 0, 0x9b, 0xffff, 0n);
  state.setSegment(DS, 0, 0x93, 0xffff, 0n);
  cpu.view.setUint16(0x600, 0xff, true);
  cpu.view.setUint32(0x602, GDT, true);
  cpu.execute('0f 01 16 00 06'); // lgdt [0x600]
  assert.equal(state.get64(STATE.gdtrBase), BigInt(GDT));
  state.setGpr(RAX, 0x11n);
  cpu.execute('0f 22 c0');
  cpu.execute('66 ea 00 80 00 00 08 00');
  assert.deepEqual([cpu.cs, cpu.redirectedTo], [0x08, 0x8000n]);
  assert.equal(state.segmentAttributes(CS) & 0x4000, 0x4000);
});

test('virtual-8086 mode: PUSHF-like instructions need IOPL 3', () => {
  const cpu = cpuIn('protected');
  cpu.state.setFlags(EFLAGS.VM | 2);
  cpu.state.cpl = 3;
  cpu.state.setSegment(CS, 0x100, 0xf3, 0xffff, 0x1000n);
  assert.equal(
    vectorOf(() => cpu.execute('cd 80')),
    GP,
  );
  assert.equal(
    vectorOf(() => cpu.execute('cf')),
    GP,
  );
  assert.equal(
    vectorOf(() => cpu.execute('fa')),
    GP,
  );
  assert.equal(
    vectorOf(() => cpu.execute('0f 00 d8')),
    UD,
  ); // ltr
});
