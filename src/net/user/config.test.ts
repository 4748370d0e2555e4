import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForward, parseNetwork } from './config.ts';
import { Policy, parseAllowRule } from './policy.ts';

test('forwards are read as people write them', () => {
  assert.deepEqual(parseForward('8080:80'), {
    protocol: 'tcp',
    hostAddress: '127.0.0.1',
    hostPort: 8080,
    guestPort: 80,
  });
  assert.equal(parseForward('5353:53/udp').protocol, 'udp');
  assert.equal(parseForward('0.0.0.0:80:80').hostAddress, '0.0.0.0');
  assert.equal(parseForward('[::1]:80:80/tcp').hostAddress, '::1');
  assert.equal(parseForward('0:22').hostPort, 0);
});

for (const text of [
  '',
  '80',
  '80:',
  ':80:80',
  '80:0',
  '80:65536',
  '70000:80',
  '80:80/sctp',
  'x:80:80',
  '::1:80:80',
]) {
  test(`the forward "${text}" is refused in one sentence`, () => {
    assert.throws(() => parseForward(text), { code: 'option-invalid' });
  });
}

test('networks are read as people write them', () => {
  assert.equal(parseNetwork('none', []), undefined);
  assert.equal(parseNetwork('user', [])?.allow, undefined);
  assert.deepEqual(parseNetwork('user,allow=', [])?.allow, []);
  assert.equal(parseNetwork('user,allow=host,allow=192.0.2.1:80', [])?.allow?.length, 2);
});

for (const text of [
  'tap',
  'user,deny=x',
  'none,allow=x',
  'user,allow=999.1.1.1',
  'user,allow=a:b',
  'user,allow=host:9-1',
  'user,allow=10.0.0.0/33',
  'user,allow=-x',
]) {
  test(`the network "${text}" is refused in one sentence`, () => {
    assert.throws(() => parseNetwork(text, []), { code: 'option-invalid' });
  });
}

const policy = (...rules: string[]) => new Policy(rules.map(parseAllowRule), () => 0);

test('without rules everything is allowed, with an empty list nothing', () => {
  assert.ok(new Policy(undefined, () => 0).allows('192.0.2.1', 80));
  assert.ok(!policy().allows('192.0.2.1', 80));
  assert.ok(!policy().allowsName('example.org'));
});

test('a rule with ports opens these ports alone', () => {
  const rules = policy('192.0.2.1:80-81');
  assert.ok(rules.allows('192.0.2.1', 80) && rules.allows('192.0.2.1', 81));
  assert.ok(!rules.allows('192.0.2.1', 82) && !rules.allows('192.0.2.2', 80));
  assert.ok(!rules.allowsAll('192.0.2.1'));
});

test('a network opens what lies in it', () => {
  const rules = policy('198.51.100.0/24', '2001:db8::/32');
  assert.ok(rules.allows('198.51.100.77', 1) && rules.allowsAll('198.51.100.77'));
  assert.ok(rules.allows('2001:db8:1::1', 443));
  assert.ok(!rules.allows('198.51.101.1', 1) && !rules.allows('2001:db9::1', 443));
});

test('the host itself is opened by its own rule alone', () => {
  assert.ok(policy('host:8080').allows('10.0.2.2', 8080));
  assert.ok(!policy('host:8080').allows('10.0.2.2', 22));
  assert.ok(!policy('0.0.0.0/0').allows('10.0.2.2', 8080));
  assert.ok(!policy('host').allows('192.0.2.1', 80));
});

test('names open the addresses that they were answered with, for a while', () => {
  let now = 0;
  const rules = new Policy([parseAllowRule('*.example.org:443')], () => now);
  assert.ok(rules.allowsName('a.b.example.org') && rules.allowsName('example.org'));
  assert.ok(!rules.allowsName('example.org.evil.test') && !rules.allowsName('notexample.org'));
  assert.ok(!rules.allows('192.0.2.7', 443));
  rules.learn('a.example.org', '192.0.2.7', 60);
  assert.ok(rules.allows('192.0.2.7', 443) && !rules.allows('192.0.2.7', 80));
  now = 301e9;
  assert.ok(!rules.allows('192.0.2.7', 443));
});
