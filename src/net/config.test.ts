import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNetworkConfig } from './config.ts';

test('a switch is read as people write it', () => {
  assert.deepEqual(parseNetworkConfig('switch:lan', []), {
    kind: 'switch',
    switch: { name: 'lan', mac: undefined },
  });
  const config = parseNetworkConfig('switch:a.b-c_1,mac=52:54:00:00:00:07', []);
  assert.ok(config?.kind === 'switch');
  assert.deepEqual(config.switch.mac, Uint8Array.of(0x52, 0x54, 0, 0, 0, 7));
});

test('what is no switch is left to the user-mode network', () => {
  assert.equal(parseNetworkConfig('none', []), undefined);
  assert.equal(parseNetworkConfig('user', ['80:80'])?.kind, 'user');
  assert.throws(() => parseNetworkConfig('tap', []), { message: /none, user or switch:NAME/ });
});

for (const text of [
  'switch',
  'switch:',
  'switch:../x',
  'switch:.hidden',
  `switch:${'x'.repeat(33)}`,
  'switch:lan,allow=host',
  'switch:lan,mac=',
  'switch:lan,mac=01:00:5e:00:00:01',
]) {
  test(`"${text}" is refused in one sentence`, () => {
    assert.throws(() => parseNetworkConfig(text, []), {
      code: 'option-invalid',
      message: /^[^\n]+$/,
    });
  });
}

test('a switch forwards no ports', () => {
  assert.throws(() => parseNetworkConfig('switch:lan', ['80:80']), {
    message: /-p needs --net user/,
  });
});
