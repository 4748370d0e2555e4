import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalName, moduleDepends, orderModules } from './modules.ts';

const module = (depends: string) =>
  new TextEncoder().encode(`\x7fELF...license=GPL\0depends=${depends}\0retpoline=Y\0name=x\0`);

const modules = new Map([
  ['kernel/net/virtio_net.ko', module('virtio-ring,net_failover')],
  ['kernel/net/net_failover.ko', module('failover')],
  ['kernel/net/failover.ko', module('')],
  ['kernel/virtio/virtio_ring.ko', module('virtio')],
  ['kernel/virtio/virtio.ko', module('virtio_ring')], // a circle
  ['kernel/other.ko', module('')],
]);

test('a module tells what it depends on', () => {
  assert.deepEqual(moduleDepends(module('virtio-ring,net_failover')), [
    'virtio_ring',
    'net_failover',
  ]);
  assert.deepEqual(moduleDepends(module('')), []);
  assert.deepEqual(moduleDepends(new Uint8Array(10)), []);
});

test('names of modules are compared without directory, suffix and dashes', () => {
  assert.equal(canonicalName('kernel/drivers/net/virtio-net.ko.xz'), 'virtio_net');
  assert.equal(canonicalName('virtio_net'), 'virtio_net');
});

test('every module comes after those it depends on, once, and others stay out', () => {
  const order = orderModules(modules, ['virtio-net', 'failover']);
  assert.equal(order.length, 5);
  const at = (name: string) => order.findIndex((path) => path.endsWith(`/${name}.ko`));
  assert.ok(at('failover') < at('net_failover'));
  assert.ok(at('net_failover') < at('virtio_net'));
  assert.ok(at('virtio_ring') < at('virtio_net'));
});

test('a module that is not there is named', () => {
  assert.throws(() => orderModules(modules, ['floppy']), {
    name: 'VivariumError',
    code: 'module-missing',
    message: /floppy/,
  });
});
