/**
 * The contract of `Persist`, run on every device: what is saved can be restored into a device that went
 * another way, and what is not a saved state changes nothing.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bus, type Device, unconnectedLine } from '../../src/bus/mod.ts';
import { NorFlash } from '../../src/devices/flash/mod.ts';
import { FwCfg } from '../../src/devices/fw-cfg/mod.ts';
import { AtaDisk, AtapiCdrom, IdeController } from '../../src/devices/ide/mod.ts';
import { MemoryDisk } from '../../src/devices/memory-disk.fixture.ts';
import {
  AcpiPm,
  ApicBus,
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
import { plainVideoMemory, Vga } from '../../src/devices/vga/mod.ts';
import { EchoServer } from '../../src/devices/virtio/fs/echo-server.fixture.ts';
import {
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  VirtioFs,
  VirtioNet,
  VirtioRng,
  VirtioVsock,
} from '../../src/devices/virtio/mod.ts';
import { HandLink } from '../../src/devices/virtio/net/driver.fixture.ts';
import { BUFFERS, PciDriver, reads, writes } from '../../src/devices/virtio/pci-driver.fixture.ts';
import { FramePool, GuestMemory } from '../../src/memory/mod.ts';
import type { Persistent } from '../../src/state/mod.ts';

interface Subject {
  readonly device: Persistent & Partial<Device>;
  /** Brings it into some state worth saving. */
  prepare(): void;
  /** Brings it from there into another. */
  change(): void;
}

type MakeSubject = (clock: HandClock) => Subject;
const line = unconnectedLine;

const subjects: Record<string, MakeSubject> = {
  uart(clock) {
    const device = new Uart16550({ clock, line, output: () => {} });
    return {
      device,
      prepare() {
        device.registers.write(2, 1, 0x81);
        device.registers.write(1, 1, 0x03);
        device.receive(Uint8Array.of(1, 2, 3));
      },
      change() {
        device.registers.read(0, 1);
        device.registers.write(7, 1, 0x77);
      },
    };
  },
  'local APIC'(clock) {
    const apicBus = new ApicBus();
    const readTsc = () => BigInt(Math.floor(clock.now() * 2));
    const device = new LocalApic({ id: 0, clock, apicBus, tscFrequencyHz: 2e9, readTsc });
    return {
      device,
      prepare() {
        device.enableVirtualWire();
        device.registers.write(0x320, 4, 0x4_00ec);
        device.tscDeadline = 10_000_000n;
        apicBus.sendMsi(0xfee0_0000, 0x8041);
        device.acknowledge();
        apicBus.sendMsi(0xfee0_0000, 0x0042);
      },
      change() {
        device.registers.write(0xb0, 4, 0);
        device.tscDeadline = 0n;
        device.writeApicBase(0xfee0_0d00n);
      },
    };
  },
  ioapic() {
    const device = new Ioapic({ apicBus: new ApicBus() });
    const write = (index: number, value: number) => {
      device.registers.write(0x00, 4, index);
      device.registers.write(0x10, 4, value);
    };
    return {
      device,
      prepare() {
        write(0x30, 0x0_a031);
        device.line(16).set(true);
      },
      change: () => write(0x31, 0x0100_0000),
    };
  },
  '8259'() {
    const device = new Pic8259({ output: line });
    return {
      device,
      prepare() {
        for (const value of [0x11]) device.primary.write(0, 1, value);
        for (const value of [0x20, 0x04, 0x01]) device.primary.write(1, 1, value);
        device.line(3).set(true);
        device.acknowledge();
      },
      change: () => device.primary.write(0, 1, 0x20),
    };
  },
  '8254'(clock) {
    const device = new Pit8254({ clock, line });
    return {
      device,
      prepare() {
        for (const value of [0x34]) device.registers.write(3, 1, value);
        for (const value of [0x9c, 0x2e]) device.registers.write(0, 1, value);
        clock.advance(5_000_000);
        device.registers.write(3, 1, 0x00);
      },
      change: () => device.registers.read(0, 1),
    };
  },
  rtc(clock) {
    const device = new Rtc({ clock, line });
    const write = (index: number, value: number) => {
      device.registers.write(0, 1, index);
      device.registers.write(1, 1, value);
    };
    return {
      device,
      prepare() {
        write(0x0b, 0x92);
        write(0x09, 0x31);
      },
      change: () => write(0x0b, 0x12),
    };
  },
  'ACPI PM'(clock) {
    const device = new AcpiPm({ clock, line, onShutdown: () => {} });
    return {
      device,
      prepare() {
        device.registers.write(2, 2, 0x0101);
        device.pressPowerButton();
      },
      change: () => device.registers.write(0, 2, 0x0100),
    };
  },
  i8042() {
    const device = new I8042({ keyboardLine: line, auxLine: line, onReset: () => {} });
    return {
      device,
      prepare() {
        device.keyboard.type(0x1c, 0xf0, 0x1c);
        device.command.write(0, 1, 0xd4);
        device.data.write(0, 1, 0xf3);
      },
      change: () => device.data.read(0, 1),
    };
  },
  'reset control'() {
    const device = new ResetControl({ onReset: () => {} });
    return {
      device,
      prepare: () => device.portCf9.write(0, 1, 0x02),
      change: () => device.port92.write(0, 1, 0x00),
    };
  },
  'POST code'() {
    const device = new PostCode();
    return {
      device,
      prepare: () => device.registers.write(0, 1, 1),
      change: () => device.registers.write(0, 1, 2),
    };
  },
  'PCI host'() {
    const device = new PciHost({
      ioBus: new Bus('io'),
      memoryBus: new Bus('memory'),
      interruptLines: [line, line, line, line],
    });
    return {
      device,
      prepare: () => device.registers.write(0, 4, 0x8000_0004),
      change: () => device.registers.write(4, 4, 0x0000_0007),
    };
  },
  'PCI function'() {
    const device = new PciFunction({
      name: 'card',
      vendorId: 0x1af4,
      deviceId: 0x1042,
      classCode: 0x01_80_00,
      interruptPin: 1,
      bars: [{ kind: 'memory32', bytes: 0x1000, bank: { read: () => 0, write() {} } }],
    });
    return {
      device,
      prepare() {
        device.writeConfig(0x10, 4, 0xfe00_0000);
        device.interrupt.set(true);
      },
      change: () => device.writeConfig(0x04, 2, 0x0002),
    };
  },
  'virtio over PCI'() {
    const backend = new MemoryDisk(4096);
    const driver = new PciDriver(new VirtioBlk({ name: 'virtio-blk-0', backend, serial: 'one' }));
    return {
      device: driver.transport,
      prepare() {
        driver.start();
        driver.enableMsix();
        driver.post(0, [writes(BUFFERS, 512)]);
      },
      change: () => driver.kick(0),
    };
  },
  'virtio balloon'() {
    const driver = new PciDriver(
      (memory) => new VirtioBalloon({ name: 'virtio-balloon-0', memory }),
    );
    return {
      device: driver.transport,
      prepare() {
        driver.start(2n);
        driver.post(2, [reads(BUFFERS, 10)]);
        driver.kick(2);
      },
      change: () => driver.bar.write(0x2004, 4, 9),
    };
  },
  'virtio net'(clock) {
    const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
    const driver = new PciDriver(
      new VirtioNet({ name: 'virtio-net-0', link: new HandLink(), mac, queuePairs: 2, clock }),
    );
    return {
      device: driver.transport,
      prepare: () => driver.start((1n << 1n) | (1n << 17n)),
      change: () => driver.write(0x14, 1, 0),
    };
  },
  'virtio console'() {
    const ports = [{ output() {} }, { name: 'agent', output() {} }];
    const driver = new PciDriver(new VirtioConsole({ name: 'virtio-console-0', ports }));
    return {
      device: driver.transport,
      prepare: () => driver.start(),
      change: () => driver.write(0x14, 1, 0),
    };
  },
  'virtio fs'() {
    const server = new EchoServer();
    const driver = new PciDriver(new VirtioFs({ name: 'virtio-fs-0', tag: 'viv0', server }));
    driver.start();
    return {
      device: driver.transport,
      prepare: () => driver.enableMsix(),
      change() {
        driver.post(1, [reads(BUFFERS, 40), writes(BUFFERS + 4096, 64)]);
        driver.kick(1);
      },
    };
  },
  'virtio vsock'() {
    const device = new VirtioVsock({ name: 'virtio-vsock-0', link: new HandLink(), cid: 3 });
    const driver = new PciDriver(device);
    driver.start();
    return {
      device: driver.transport,
      prepare: () => driver.enableMsix(),
      change() {
        driver.post(1, [reads(BUFFERS, 44)]);
        driver.kick(1);
      },
    };
  },
  'virtio rng'() {
    const fillRandom = (target: Uint8Array) => void target.fill(7);
    const driver = new PciDriver(new VirtioRng({ name: 'virtio-rng-0', fillRandom }));
    return {
      device: driver.transport,
      prepare() {
        driver.start();
        driver.post(0, [writes(BUFFERS, 16)]);
      },
      change: () => driver.kick(0),
    };
  },
  flash() {
    const memory = { bytes: new Uint8Array(8192).fill(0xff), readable: true, changed: () => {} };
    const device = new NorFlash({ name: 'flash', memory, blockBytes: 4096 });
    return {
      device,
      prepare() {
        device.registers.write(0, 1, 0x50);
        device.registers.write(0, 1, 0xe8);
        device.registers.write(0, 1, 3);
      },
      change() {
        device.registers.write(0, 1, 0x12);
        device.registers.write(1, 1, 0x34);
      },
    };
  },
  'IDE controller'() {
    const { controller, channels } = ide();
    return {
      device: controller,
      prepare() {
        controller.function.writeConfig(0x20, 4, 0xc000);
        channels[0].commandBlock.write(2, 1, 9);
        controller.function.bars[4]?.bank.write(4, 4, 0x1000);
      },
      change: () => channels[1].commandBlock.write(6, 1, 0x10),
    };
  },
  'IDE disk'() {
    const { channels, disk } = ide();
    return {
      device: disk,
      prepare() {
        for (const [register, value] of [1, 0, 0, 0, 0xe0, 0x20].entries()) {
          channels[0].commandBlock.write(2 + register, 1, value); // read one sector
        }
        channels[0].commandBlock.read(0, 2);
      },
      change: () => channels[0].commandBlock.read(0, 2),
    };
  },
  'CD-ROM'() {
    const { channels, disc } = ide();
    return {
      device: disc,
      prepare: () => channels[1].commandBlock.write(7, 1, 0xa0),
      change: () => channels[1].commandBlock.write(0, 2, 0x12),
    };
  },
  VGA(clock) {
    const device = new Vga({ clock, memory: plainVideoMemory(0x4_0000) });
    return {
      device,
      prepare() {
        device.crtc.write(0, 2, 0x4f01);
        device.registers.write(8, 1, 3);
        device.registers.write(9, 1, 0x2a);
      },
      change: () => device.registers.write(4, 2, 0x0302),
    };
  },
  fw_cfg() {
    const device = new FwCfg([{ name: 'etc/e820', bytes: Uint8Array.of(1, 2, 3) }]);
    return {
      device,
      prepare: () => device.registers.write(0, 2, 0x20),
      change: () => device.registers.read(1, 1),
    };
  },
  NVMe() {
    const driver = new NvmeDriver(new MemoryDisk(4096));
    return {
      device: driver.controller,
      prepare() {
        driver.enable();
        driver.createQueues();
        driver.enableMsix();
      },
      change: () => driver.transfer(2, 0, 1, 0x10_0000),
    };
  },
};

/** An IDE controller with a disk and a disc. */
function ide() {
  const memory = new GuestMemory(new FramePool(2 ** 20), [{ start: 0, bytes: 2 ** 16 }]);
  const disk = new AtaDisk({ name: 'ide-0', backend: new MemoryDisk(8192), serial: 'one' });
  const disc = new AtapiCdrom({ name: 'ide-2', backend: new MemoryDisk(8192) });
  const drives = [disk, undefined, disc];
  const controller = new IdeController({ memory, lines: [line, line], drives });
  return { controller, channels: controller.channels, disk, disc };
}

/** Damaged copies of `state`: each leaf replaced by something it cannot be, each field removed. */
function* damaged(state: unknown): Generator<unknown> {
  yield* [undefined, null, 42, 'text', [], {}];
  yield { ...(state as object), unknownField: 1 };
  yield* damagedFields(state);
}

function* damagedFields(value: unknown): Generator<unknown> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) {
    yield { nonsense: true };
    if (typeof value === 'number') yield* [Number.NaN, '1', 2 ** 60 * 1.5e300];
    if (ArrayBuffer.isView(value)) yield new Uint8Array(4096);
    return;
  }
  const entries = Object.entries(value);
  for (const [name, inner] of entries) {
    if (inner === undefined) continue;
    for (const bad of damagedFields(inner)) {
      if (Array.isArray(value)) yield value.with(Number(name), bad);
      else yield { ...value, [name]: bad };
    }
  }
}

for (const [name, make] of Object.entries(subjects)) {
  describe(`persist: ${name}`, () => {
    test('a saved state can be cloned, and restores what was', () => {
      const clock = new HandClock();
      const { device, prepare, change } = make(clock);
      prepare();
      const saved = structuredClone(device.persist.save());
      change();
      assert.notDeepStrictEqual(device.persist.save(), saved, 'the change must show');
      device.persist.restore(saved);
      assert.deepStrictEqual(device.persist.save(), saved);
    });

    test('a saved state restores into a fresh twin, and the two do not share data', () => {
      const clock = new HandClock();
      const original = make(clock);
      const twin = make(clock);
      original.prepare();
      const saved = original.device.persist.save();
      const frozen = structuredClone(saved);
      twin.device.persist.restore(saved);
      assert.deepStrictEqual(twin.device.persist.save(), frozen);
      original.change();
      twin.change();
      assert.deepStrictEqual(saved, frozen, 'saved data belongs to the snapshot');
    });

    test('garbage is refused as snapshot-invalid and changes nothing', () => {
      const clock = new HandClock();
      const { device, prepare } = make(clock);
      prepare();
      const before = device.persist.save();
      let refused = 0;
      for (const garbage of damaged(structuredClone(before))) {
        assert.throws(() => device.persist.restore(garbage), { code: 'snapshot-invalid' });
        refused++;
        assert.deepStrictEqual(device.persist.save(), before);
      }
      assert.ok(refused > 7);
    });

    test('it has a name and a version, and reset comes back to one state', () => {
      const clock = new HandClock();
      const { device, prepare, change } = make(clock);
      assert.match(device.persist.name, /^[a-z0-9-]+$/);
      assert.ok(Number.isInteger(device.persist.version) && device.persist.version >= 1);
      if (device.reset === undefined) return;
      device.reset();
      const first = device.persist.save();
      prepare();
      change();
      device.reset();
      if (name === 'rtc' || name === 'ACPI PM') return; // the battery, and time, go on
      assert.deepStrictEqual(device.persist.save(), first);
    });
  });
}
