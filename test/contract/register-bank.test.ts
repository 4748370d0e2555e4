/**
 * The contract of `RegisterBank`, run on every bank: a guest may do any access in any order; reads are
 * unsigned and fit their size, nothing throws, and what is saved in the end can be restored.
 * Accesses are random from a printed seed; set VIVARIUM_SEED to repeat a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccessSize, Bus, type RegisterBank, unconnectedLine } from '../../src/bus/mod.ts';
import { MemoryDisk } from '../../src/devices/memory-disk.fixture.ts';
import {
  AcpiPm,
  ApicBus,
  debugConsoleBank,
  debugExitBank,
  I8042,
  Ioapic,
  LocalApic,
  PciFunction,
  PciHost,
  Pic8259,
  Pit8254,
  PostCode,
  ResetControl,
  Rtc,
  Uart16550,
} from '../../src/devices/mod.ts';
import { NvmeDriver } from '../../src/devices/nvme/driver.fixture.ts';
import { HandClock } from '../../src/devices/test-kit.fixture.ts';
import { VirtioBlk } from '../../src/devices/virtio/mod.ts';
import { PciDriver } from '../../src/devices/virtio/pci-driver.fixture.ts';
import type { Persistent } from '../../src/state/mod.ts';

const ACCESSES = 3000;
const seed = Number(process.env['VIVARIUM_SEED'] ?? 20261122);

/** Marsaglia's xorshift with 32 bits of state. */
function generator(start: number): (limit: number) => number {
  let state = start >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

interface Subject {
  readonly banks: readonly (readonly [bank: RegisterBank, bytes: number])[];
  readonly parts: readonly Persistent[];
  /** what else happens to the device meanwhile */
  stir?(random: (limit: number) => number): void;
}

const line = unconnectedLine;
const subjects: Record<string, (clock: HandClock) => Subject> = {
  uart(clock) {
    const device = new Uart16550({ clock, line, output: () => {} });
    return {
      banks: [[device.registers, 8]],
      parts: [device],
      stir: (random) => device.receive(new Uint8Array(random(20))),
    };
  },
  'interrupt controllers'(clock) {
    const apicBus = new ApicBus();
    const readTsc = () => BigInt(Math.floor(clock.now()));
    const apic: LocalApic = new LocalApic({
      id: 0,
      clock,
      apicBus,
      tscFrequencyHz: 1e9,
      readTsc,
      acknowledgeExternal: () => pic.acknowledge(),
    });
    const ioapic = new Ioapic({ apicBus });
    const pic: Pic8259 = new Pic8259({ output: apic.lint0 });
    apic.enableVirtualWire();
    return {
      banks: [
        [apic.registers, 0x400],
        [ioapic.registers, 0x44],
        [pic.primary, 2],
        [pic.secondary, 2],
        [pic.elcr, 2],
      ],
      parts: [apic, ioapic, pic],
      stir(random) {
        ioapic.line(random(24)).set(random(2) === 1);
        pic.line(random(16)).set(random(2) === 1);
        apic.tscDeadline = BigInt(random(2 ** 32));
        if (random(20) === 0) apic.writeApicBase(BigInt(random(16) << 8) | 0xfee0_0000n);
        apic.writeX2apic(random(0x40), BigInt(random(2 ** 32)));
        if (apic.hasInterrupt()) {
          const vector = apic.acknowledge();
          assert.ok(vector >= 0 && vector <= 255);
        }
        assert.equal(typeof apic.takeNmi(), 'boolean');
      },
    };
  },
  pit(clock) {
    const device = new Pit8254({ clock, line });
    return {
      banks: [
        [device.registers, 4],
        [device.systemControl, 1],
      ],
      parts: [device],
    };
  },
  rtc(clock) {
    const device = new Rtc({ clock, line });
    return { banks: [[device.registers, 2]], parts: [device] };
  },
  'ACPI and reset'(clock) {
    const device = new AcpiPm({ clock, line, onShutdown: () => {}, timerBits: 24 });
    const reset = new ResetControl({ onReset: () => {} });
    return {
      banks: [
        [device.registers, 16],
        [reset.portCf9, 1],
        [reset.port92, 1],
      ],
      parts: [device, reset],
      stir: () => device.pressPowerButton(),
    };
  },
  i8042() {
    const device = new I8042({ keyboardLine: line, auxLine: line, onReset: () => {} });
    return {
      banks: [
        [device.data, 1],
        [device.command, 1],
      ],
      parts: [device],
      stir(random) {
        device.keyboard.type(random(256), random(256));
        device.mouse.move(random(600) - 300, random(600) - 300, random(3) - 1, random(8));
      },
    };
  },
  'debug ports'() {
    const post = new PostCode();
    return {
      banks: [
        [post.registers, 1],
        [debugExitBank(() => {}), 4],
        [debugConsoleBank(() => {}), 1],
      ],
      parts: [post],
    };
  },
  PCI() {
    const host = new PciHost({
      ioBus: new Bus('io'),
      memoryBus: new Bus('memory'),
      interruptLines: [line, line, line, line],
    });
    const bank = { read: () => 0, write() {} };
    const card = new PciFunction({
      name: 'card',
      vendorId: 1,
      deviceId: 2,
      classCode: 3,
      interruptPin: 2,
      bars: [
        { kind: 'memory64', bytes: 0x4000, bank },
        undefined,
        { kind: 'memory32', bytes: 0x1000, bank },
        { kind: 'io', bytes: 0x20, bank },
      ],
    });
    card.addCapability(0x11, new Uint8Array(10), new Uint8Array(10).fill(0xff));
    host.plug(1, 0, card);
    return {
      banks: [
        [host.registers, 8],
        [host.ecam, 0x9000],
      ],
      parts: [host, card],
      stir(random) {
        host.registers.write(0, 4, 0x8000_0000 + random(0x1000));
        card.interrupt.set(random(2) === 1);
      },
    };
  },
};

/** A card whose configuration space and registers are both open to any access. */
const cardBanks = (card: PciFunction): Subject['banks'] => [
  [
    {
      read: (offset, size) => card.readConfig(offset, size),
      write: (offset, size, value) => card.writeConfig(offset, size, value),
    },
    256,
  ],
  [card.bars[0]?.bank as RegisterBank, 0x40],
  [card.bars[0]?.bank as RegisterBank, card.bars[0]?.bytes ?? 0],
];
subjects['virtio over PCI'] = () => {
  const backend = new MemoryDisk(4096);
  const driver = new PciDriver(new VirtioBlk({ name: 'virtio-blk-0', backend, serial: 'one' }));
  driver.start();
  return { banks: cardBanks(driver.transport.function), parts: [driver.transport] };
};
subjects['NVMe'] = () => {
  const driver = new NvmeDriver(new MemoryDisk(4096));
  driver.enable();
  driver.createQueues();
  return { banks: cardBanks(driver.controller.function), parts: [driver.controller] };
};

for (const [name, make] of Object.entries(subjects)) {
  test(`register bank: ${name} stands any access (seed ${seed})`, () => {
    const clock = new HandClock();
    const subject = make(clock);
    const random = generator(seed);
    for (let count = 0; count < ACCESSES; count++) {
      const [bank, bytes] = subject.banks[random(subject.banks.length)] ?? [];
      assert.ok(bank !== undefined && bytes !== undefined);
      const size = ([1, 2, 4] as const)[random(3)] as AccessSize;
      const offset = random(Math.max(1, bytes - size + 1));
      if (random(2) === 0) {
        const value = bank.read(offset, size);
        const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size);
        assert.ok(fits, `read(${offset}, ${size}) gave ${value}`);
      } else {
        bank.write(offset, size, random(2 ** (8 * size)));
      }
      if (random(4) === 0) clock.advance(random(3e6));
      if (random(4) === 0) subject.stir?.(random);
    }
    for (const part of subject.parts) {
      const saved = part.persist.save();
      part.persist.restore(structuredClone(saved));
      assert.deepStrictEqual(part.persist.save(), saved);
    }
  });
}
