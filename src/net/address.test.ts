import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBytes, inPrefix, isLoopback, isUnicast, parseAddress } from './address.ts';
import { addWords, checksum, fold } from './checksum.ts';
import { formatMac, parseMac } from './mac.ts';

const canonical: readonly (readonly [written: string, text: string])[] = [
  ['10.0.2.15', '10.0.2.15'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // RFC 5952 section 4.2.3: the first of equal runs
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // section 4.2.2: one group is not shortened
  ['2001:0db8::0001', '2001:db8::1'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
];
for (const [written, text] of canonical) {
  test(`${written} is ${text}`, () => {
    assert.equal(parseAddress(written)?.text, text);
    assert.deepEqual(addressBytes(text), parseAddress(written)?.bytes);
  });
}

for (const text of [
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.5',
  ':::',
  '1::2::3',
  '1:2',
  'g::',
  '::1.2.3',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '1.2.3.4::',
]) {
  test(`"${text}" is no address`, () => assert.equal(parseAddress(text), undefined));
}

test('prefixes compare bits, not bytes', () => {
  const network = addressBytes('10.0.16.0');
  assert.ok(inPrefix('10.0.31.255', network, 20));
  assert.ok(!inPrefix('10.0.32.0', network, 20));
  assert.ok(inPrefix('192.0.2.1', network, 0));
  assert.ok(!inPrefix('::', network, 0));
});

test('an IPv4 address in IPv6 clothes is not a way to the host', () => {
  assert.ok(!isUnicast('::ffff:7f00:1'));
  assert.ok(!isUnicast('::7f00:1'));
  assert.ok(isLoopback('::ffff:7f00:1'));
});

test('addresses of groups and of nobody are not unicast', () => {
  for (const address of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', 'ff02::1']) {
    assert.ok(!isUnicast(address), address);
  }
  assert.ok(isUnicast('192.0.2.1') && isUnicast('2001:db8::1') && isUnicast('fe80::1'));
});

test('the checksum is that of the example in RFC 1071', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(fold(addWords(bytes, 0, 8, 0)), 0xddf2);
  assert.equal(checksum(bytes, 0, 8), 0x220d);
});

test('an odd byte counts as the high half of a word', () => {
  assert.equal(addWords(Uint8Array.of(0x12, 0x34, 0x56), 0, 3, 0), 0x1234 + 0x5600);
});

test('the sum over 64 KiB does not overflow', () => {
  assert.equal(addWords(new Uint8Array(65_536).fill(0xff), 0, 65_536, 0xffff), 0xffff);
});

test('Ethernet addresses are read and written', () => {
  assert.equal(formatMac(parseMac('52:54:00:AB:cd:ef') as Uint8Array), '52:54:00:ab:cd:ef');
  for (const text of [
    '',
    '52:54:00:12:34',
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
  ]) {
    assert.equal(parseMac(text), undefined, text);
  }
});
