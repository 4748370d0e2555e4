import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endJump } from './assembly.ts';
import { type Case, ENDED, TIMED_OUT } from './case.ts';
import {
  CODE_ADDRESS,
  CODE_END,
  DATA_ADDRESS,
  DATA_BYTES,
  EXIT_ADDRESS,
  PAGE,
  WIRE,
} from './layout.ts';
import { NativeProcessor } from './native-processor.ts';
import { ProcessorState } from './processor-state.ts';

const native = NativeProcessor.open();
const skip = typeof native === 'string' ? native : false;
const RAX = 0;
const RCX = 1;
const RBX = 3;

function build(
  code: string,
  change: (state: ProcessorState) => void = () => {},
  bits: 32 | 64 = 64,
): Case {
  const state = new ProcessorState();
  state.rip = BigInt(CODE_ADDRESS);
  state.rflags = 0x202;
  state.mxcsr = 0x1f80;
  state.set16(WIRE.fcw, 0x37f);
  state.setGpr(4, BigInt(DATA_ADDRESS + PAGE));
  change(state);
  const bytes = Uint8Array.from(code.split(' '), (byte) => Number.parseInt(byte, 16));
  return {
    bits,
    codeAddress: CODE_ADDRESS,
    code: Uint8Array.from([...bytes, ...endJump(bits)]),
    state,
    patches: [],
  };
}

function runOne(each: Case, data = new Uint8Array(DATA_BYTES)) {
  assert.ok(typeof native !== 'string');
  const [outcome] = native.run([each], data);
  assert.ok(outcome);
  return outcome;
}

test('an addition leaves its sum and its flags', { skip }, () => {
  const added = runOne(
    build('01 d8', (state) => {
      state.setGpr(RAX, 0x7fff_ffffn);
      state.setGpr(RBX, 1n);
    }),
  );
  assert.equal(added.vector, ENDED);
  assert.equal(added.state.rip, EXIT_ADDRESS);
  assert.equal(added.state.gpr(RAX), 0x8000_0000n);
  assert.equal(added.state.rflags, 0x202 | 0x800 | 0x80 | 0x10 | 0x4);
});

test('every register arrives and comes back', { skip }, () => {
  const each = build('90', (state) => {
    for (let i = 0; i < 16; i++) {
      state.setGpr(i, BigInt(i + 1) * 0x1111_1111_1111n);
      for (let j = 0; j < 32; j++) state.bytes[WIRE.ymm + 32 * i + j] = 16 * i + j;
    }
    for (let i = 0; i < 8; i++) {
      state.bytes[WIRE.st + 16 * i + 7] = 0x80 + i;
      state.set16(WIRE.st + 16 * i + 8, 0x3fff + i);
    }
    state.rflags = 0xed7;
    state.mxcsr = 0x7fbf;
    state.set16(WIRE.fcw, 0xf7f);
    state.set16(WIRE.fsw, 0x3800);
    state.set16(WIRE.ftw, 0x5a);
    state.set64(WIRE.fsBase, 0x20_0010n);
    state.set64(WIRE.gsBase, 0x20_0020n);
  });
  const { state } = runOne(each);
  each.state.rip = EXIT_ADDRESS;
  assert.deepEqual(each.state.differences(state), []);
});

test('a store is reported as a changed word', { skip }, () => {
  const { changes } = runOne(
    build('89 03', (state) => {
      state.setGpr(RAX, 0x1_1234_5678n);
      state.setGpr(RBX, BigInt(DATA_ADDRESS + 0x10c));
    }),
  );
  assert.deepEqual(changes, [{ offset: 0x108, value: 0x1234_5678_0000_0000n }]);
});

test('a case leaves nothing behind for the next', { skip }, () => {
  assert.ok(typeof native !== 'string');
  const store = build('48 89 23');
  store.state.setGpr(RBX, BigInt(DATA_ADDRESS));
  const load = build('48 8b 03');
  load.state.setGpr(RBX, BigInt(DATA_ADDRESS));
  const [, loaded] = native.run([store, load], new Uint8Array(DATA_BYTES));
  assert.equal(loaded?.state.gpr(RAX), 0n);
});

test('faults come with the vector, error code, address and RIP of the processor', { skip }, () => {
  const at = (address: number) => (state: ProcessorState) => state.setGpr(RBX, BigInt(address));
  const absent = runOne(build('90 8b 03', at(DATA_ADDRESS + DATA_BYTES + 4)));
  assert.deepEqual(
    [absent.vector, absent.errorCode, absent.faultAddress, absent.state.rip],
    [14, 4, BigInt(DATA_ADDRESS + DATA_BYTES + 4), BigInt(CODE_ADDRESS + 1)],
  );
  const readOnly = runOne(build('89 03', at(DATA_ADDRESS + 3 * PAGE)));
  assert.deepEqual([readOnly.vector, readOnly.errorCode], [14, 7]);
  const fetch = runOne(build('ff e3', at(CODE_END)));
  assert.equal(fetch.vector, 14);
  assert.equal(fetch.errorCode & ~16, 4);
  assert.equal(fetch.state.rip, BigInt(CODE_END));
  assert.equal(runOne(build('8b 03', (s) => s.setGpr(RBX, 1n << 63n))).vector, 13);
  assert.equal(runOne(build('8b 04 24', (s) => s.setGpr(4, 1n << 63n))).vector, 12);
  assert.equal(runOne(build('f7 f0')).vector, 0);
  assert.equal(runOne(build('0f 0b')).vector, 6);
  assert.equal(runOne(build('f4')).vector, 13);
  const breakpoint = runOne(build('cc'));
  assert.deepEqual([breakpoint.vector, breakpoint.state.rip], [3, BigInt(CODE_ADDRESS + 1)]);
  const unmasked = runOne(
    build('0f 5e c0', (state) => {
      state.mxcsr = 0x1f00;
    }),
  );
  assert.equal(unmasked.vector, 19);
  assert.equal(unmasked.state.mxcsr, 0x1f01);
  assert.equal(runOne(build('d9 e8', (state) => state.set16(WIRE.fcw, 0x37e))).vector, ENDED);
});

test('vector registers of a faulting case come back whole', { skip }, () => {
  const each = build('0f 0b', (state) => {
    for (let i = 0; i < 512; i++) state.bytes[WIRE.ymm + i] = i & 0xff;
    state.bytes[WIRE.st + 7] = 0x80;
    state.set16(WIRE.ftw, 1);
    state.rflags = 0x1_0202; // a fault pushes RF
  });
  assert.deepEqual(each.state.differences(runOne(each).state), []);
});

test('32-bit code runs in compatibility mode', { skip }, () => {
  // INC EAX; MOV [EBX],EAX; MOV CX,CS; MOV DX,FS:[0]
  const ended = runOne(
    build(
      '40 89 03 66 8c c9 64 66 8b 15 00 00 00 00',
      (state) => {
        state.setGpr(RAX, 0xffff_ffffn);
        state.setGpr(RBX, BigInt(DATA_ADDRESS + 8));
        state.set64(WIRE.fsBase, BigInt(DATA_ADDRESS));
      },
      32,
    ),
  );
  assert.equal(ended.vector, ENDED);
  assert.equal(ended.state.gpr(RAX) & 0xffff_ffffn, 0n);
  assert.equal(ended.state.gpr(RCX) & 0xffffn, 0x23n);
  assert.equal(ended.state.get64(WIRE.fsBase), BigInt(DATA_ADDRESS));
  const overflowed = runOne(build('ce', (state) => (state.rflags = 0xa02), 32));
  assert.deepEqual([overflowed.vector, overflowed.state.rip], [4, BigInt(CODE_ADDRESS + 1)]);
  assert.equal(runOne(build('90')).vector, ENDED, 'and 64-bit code does afterwards');
});

test('a loop without end is cut off', { skip }, () => {
  assert.equal(runOne(build('eb fe')).vector, TIMED_OUT);
  assert.equal(runOne(build('90', (s) => s.setGpr(RCX, 5n))).vector, ENDED);
});

test('the trap flag traps after the next instruction', { skip }, () => {
  const trapped = runOne(
    build('90 90', (state) => {
      state.rflags = 0x302;
    }),
  );
  assert.equal(trapped.vector, 1);
});
