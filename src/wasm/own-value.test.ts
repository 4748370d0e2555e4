import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FunctionWriter, I32, ModuleWriter, moveOwnValue, setOwnValue } from './mod.ts';

const VALUES = [0, 1, 0x3f, 0x40, 0x7fff_ffff, -1, -0x8000_0000, 0x1234_5678, -0x1234_5678];

/** (): its own value, plus its own value. */
const twice = () => new FunctionWriter(0).ownValue().ownValue().i32Add().finish();

test('a constant is any value, wherever it is mentioned', () => {
  for (const value of VALUES) {
    const module = new ModuleWriter();
    const code = twice();
    setOwnValue(code, value);
    module.exportFunction('0', module.addFunction(module.type([], [I32]), code));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
    assert.equal((exports['0'] as () => number)(), (2 * value) | 0);
  }
});

test('a global, of which a module has many, is read each time', () => {
  const module = new ModuleWriter();
  const type = module.type([], [I32]);
  for (let number = 0; number < 200; number++) {
    const code = twice();
    setOwnValue(code, 7);
    moveOwnValue(code, module.addGlobal(number));
    module.exportFunction(String(number), module.addFunction(type, code));
  }
  module.exportGlobal('global', 150);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  const call = (number: number) => (exports[String(number)] as () => number)();
  for (const number of [0, 1, 127, 128, 150, 199]) assert.equal(call(number), 2 * number);
  (exports['global'] as WebAssembly.Global).value = -5;
  assert.equal(call(150), -10);
});
