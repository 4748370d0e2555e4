import { Bus, type InterruptLine, type RegisterBank } from '../bus/mod.ts';
import {
  AcpiPm,
  ApicBus,
  debugConsoleBank,
  debugExitBank,
  fanOut,
  I8042,
  Ioapic,
  LocalApic,
  PciHost,
  Pic8259,
  Pit8254,
  PostCode,
  RESET_VALUE,
  ResetControl,
  Rtc,
  Typist,
  Uart16550,
} from '../devices/mod.ts';
import type { Picture, Vga } from '../devices/vga/mod.ts';
import {
  EAGER_POLICY,
  ENGINE_POOL_BYTES,
  InterpVcpu,
  parseTrace,
  ReferenceVcpu,
  type Vcpu,
  type VcpuHost,
} from '../engine/mod.ts';
import { FramePool, GuestMemory } from '../memory/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { CpuModel, parseCpu } from '../x86/cpuid/mod.ts';
import { buildOpcodeTable, helpers, instructions } from '../x86/mod.ts';
import { enterBoot, initialState } from '../x86/system/mod.ts';
import { buildAcpiTables } from './acpi/mod.ts';
import { BoardClock } from './board-clock.ts';
import { loadKernel } from './boot/mod.ts';
import type {
  BoardConfig,
  BoardHost,
  MachineStats,
  RunOutcome,
  StopReason,
  UserInput,
} from './config.ts';
import { describeShutdown } from './fault-report.ts';
import {
  checkFirmwareImage,
  checkFirmwareMemory,
  cmosMemory,
  installFirmware,
  plugIde,
  plugSouthBridge,
  plugVariables,
  plugVideo,
  uefiPciWindow,
  VIDEO_MEMORY_BYTES,
} from './firmware/mod.ts';
import { KvmClock } from './kvm-clock.ts';
import {
  APIC_TIMER_HZ,
  ECAM,
  HIGH_RAM_START,
  IOAPIC_GPA,
  IOAPIC_ID,
  IRQ,
  LOCAL_APIC_GPA,
  PCI_FIRMWARE_WINDOW,
  PCI_FIRST_GSI,
  PCI_IO_WINDOW,
  PCI_MEMORY_WINDOW,
  PM_TIMER_BITS,
  PORT,
  RTC_CENTURY,
  TIMER_GSI,
  TSC_HZ,
} from './layout.ts';
import { memoryMap, ramRanges } from './memory-map.ts';
import { type PciDevices, plugPciDevices } from './pci-devices.ts';

/** Room in the pool besides guest memory and code: vCPU blocks, TLBs. */
const OVERHEAD_BYTES = 4 * 2 ** 20;
/** Guest time between two looks at the devices, at most. */
const LOOK_NANOSECONDS = 500_000;
const MIN_BUDGET = 2_000;
const MAX_BUDGET = 2_000_000;

/** The PC: memory, processor, devices, and the loop that runs them. Does no I/O and never blocks. */
export class Board {
  readonly memory: GuestMemory;
  readonly vcpu: Vcpu;
  readonly clock: BoardClock;
  readonly uart: Uart16550;
  readonly #config: BoardConfig;
  readonly #host: BoardHost;
  readonly #acpiPm: AcpiPm;
  readonly #apic: LocalApic;
  readonly #cards: PciDevices;
  #video: Vga | undefined;
  readonly #i8042: I8042;
  readonly #typist: Typist;
  #stop: StopReason | undefined;
  /** measured speed, to turn guest time into instruction budgets */
  #instructionsPerNanosecond = 0.03;
  readonly #startedAt: number;
  readonly #cpuAtStart: number;

  /** Builds the machine and puts the kernel into its memory. Throws `VivariumError` for a config that cannot work. */
  static create(config: BoardConfig, host: BoardHost): Board {
    return new Board(config, host);
  }

  private constructor(config: BoardConfig, host: BoardHost) {
    this.#config = config;
    this.#host = host;
    this.#startedAt = host.now();
    this.#cpuAtStart = host.cpuSeconds();
    const clock = new BoardClock(() => host.now(), host.epochMilliseconds());
    this.clock = clock;
    const { firmware } = config;
    if (firmware !== undefined) checkFirmwareImage(firmware.image);
    const hasVideo = firmware !== undefined;
    const variables = firmware?.variables;
    const isUefi = variables !== undefined;
    if (firmware !== undefined) checkFirmwareMemory(config.memoryBytes, isUefi);
    const deviceBytes =
      (firmware?.image.length ?? 0) +
      (variables?.length ?? 0) +
      (hasVideo ? VIDEO_MEMORY_BYTES : 0);
    const pool = new FramePool(
      GuestMemory.poolBytes(config.memoryBytes + deviceBytes) + ENGINE_POOL_BYTES + OVERHEAD_BYTES,
    );
    const ranges = ramRanges(config.memoryBytes, hasVideo);
    const memory = new GuestMemory(pool, ranges, hasVideo ? HIGH_RAM_START : 0);
    this.memory = memory;

    const ports = new Bus('I/O ports');
    const mmio = new Bus('MMIO');
    const readTsc = (): bigint => BigInt(Math.floor(clock.now() * (TSC_HZ / 1e9)));
    const onReset = (): void => this.#stopWith({ kind: 'reset' });

    // Interrupt controllers.
    const apicBus = new ApicBus();
    let apicPage: number | undefined;
    const apic: LocalApic = new LocalApic({
      id: 0,
      clock,
      apicBus,
      tscFrequencyHz: TSC_HZ,
      readTsc,
      busFrequencyHz: APIC_TIMER_HZ,
      acknowledgeExternal: () => pic.acknowledge(),
      onBaseChange: (gpa) => {
        if (apicPage !== undefined) mmio.unmap(apicPage);
        apicPage = gpa;
        if (gpa !== undefined) mmio.map(gpa, 4096, apic.registers);
      },
    });
    this.#apic = apic;
    const pic = new Pic8259({ output: apic.lint0 });
    const ioapic = new Ioapic({ apicBus, id: IOAPIC_ID });
    if (apicPage === undefined) {
      apicPage = LOCAL_APIC_GPA;
      mmio.map(LOCAL_APIC_GPA, 4096, apic.registers);
    }
    mmio.map(IOAPIC_GPA, 4096, ioapic.registers);
    const isa = (irq: number): InterruptLine =>
      fanOut(pic.line(irq), ioapic.line(irq === IRQ.timer ? TIMER_GSI : irq));

    // Devices.
    const pit = new Pit8254({ clock, line: isa(IRQ.timer) });
    const rtc = new Rtc({ clock, line: isa(IRQ.rtc) });
    const uart = new Uart16550({
      clock,
      line: isa(IRQ.com1),
      output: (bytes) => host.consoleOutput(bytes),
    });
    this.uart = uart;
    const acpiPm = new AcpiPm({
      clock,
      line: isa(IRQ.sci),
      onShutdown: () => this.#stopWith({ kind: 'shutdown' }),
      timerBits: PM_TIMER_BITS,
    });
    this.#acpiPm = acpiPm;
    const i8042 = new I8042({ keyboardLine: isa(IRQ.keyboard), auxLine: isa(IRQ.mouse), onReset });
    this.#i8042 = i8042;
    this.#typist = new Typist({ clock, keyboard: i8042.keyboard });
    const resetControl = new ResetControl({ onReset });
    const postCode = new PostCode();
    const pci = new PciHost({
      ioBus: ports,
      memoryBus: mmio,
      interruptLines: [0, 1, 2, 3].map((line) => ioapic.line(PCI_FIRST_GSI + line)),
      resetPort: resetControl.portCf9,
      firmwareBridge: firmware !== undefined,
    });
    const sendMsi = (address: number, data: number): void => apicBus.sendMsi(address, data);
    const pmPort = isUefi ? PORT.acpiPmUefi : PORT.acpiPm;
    const portMap: [number, number, RegisterBank][] = [
      [PORT.pic1, 2, pic.primary],
      [PORT.pic2, 2, pic.secondary],
      [PORT.elcr, 2, pic.elcr],
      [PORT.pit, 4, pit.registers],
      [PORT.systemControl, 1, pit.systemControl],
      [PORT.rtc, 2, rtc.registers],
      [PORT.i8042Data, 1, i8042.data],
      [PORT.i8042Command, 1, i8042.command],
      [PORT.postCode, 1, postCode.registers],
      [PORT.port92, 1, resetControl.port92],
      [PORT.com1, 8, uart.registers],
      [pmPort, 16, acpiPm.registers],
      [PORT.pciConfig, 8, pci.registers],
      [PORT.debugConsole, 1, debugConsoleBank((byte) => host.consoleOutput(Uint8Array.of(byte)))],
    ];
    if (config.debugExit) {
      portMap.push([
        PORT.debugExit,
        4,
        debugExitBank((code) => this.#stopWith({ kind: 'debug-exit', code })),
      ]);
    }
    for (const [port, length, bank] of portMap) ports.map(port, length, bank);
    // The bridge that UEFI firmware takes this board for has none.
    const ecam = isUefi ? undefined : ECAM;
    if (ecam !== undefined) mmio.map(ecam.gpa, (ecam.lastBus + 1) * 2 ** 20, pci.ecam);
    if (firmware !== undefined && isUefi) {
      plugSouthBridge(pci);
      plugVariables({ variables, codeBytes: firmware.image.length, memory, mmio });
    }
    if (firmware !== undefined) {
      for (const [register, value] of cmosMemory(config.memoryBytes)) {
        rtc.registers.write(0, 1, register);
        rtc.registers.write(1, 1, value);
      }
    }
    plugIde({ config, host, ports, pci, memory, line: isa });
    if (hasVideo) this.#video = plugVideo({ clock, ports, mmio, pci, memory });
    this.#cards = plugPciDevices({ config, host, pci, memory, clock, sendMsi });

    // Processor.
    const model = new CpuModel({
      features: parseCpu(config.cpu),
      tscKhz: TSC_HZ / 1000,
      apicId: 0,
      cpuCount: 1,
      apicEnabled: () => apic.isEnabled,
    });
    const kvmClock = new KvmClock(memory, clock, readTsc);
    const vcpuHost: VcpuHost = {
      memory,
      mmio,
      ports,
      interrupts: apic,
      model,
      readTsc,
      readMsr: (index) => (model.has('hypervisor') ? kvmClock.read(index) : undefined),
      writeMsr: (index, value) => model.has('hypervisor') && kvmClock.write(index, value),
      hypercall: () => false,
      ...(host.fillRandom ? { fillRandom: (target) => host.fillRandom?.(target) } : {}),
    };
    const table = buildOpcodeTable(instructions);
    const vcpu =
      config.engine === 'reference'
        ? new ReferenceVcpu(vcpuHost, table, helpers)
        : new InterpVcpu(vcpuHost, table, helpers, {
            ...(config.engine === 'bt'
              ? { regions: config.eager === true ? EAGER_POLICY : {} }
              : {}),
            ...(config.trace === undefined ? {} : { trace: parseTrace(config.trace) }),
            ...(config.eager === true
              ? {}
              : {
                  workshop: (place) => host.openWorkshop?.(place),
                  batchCompiler:
                    config.engine === 'bt'
                      ? host.openBatchCompiler?.([...model.features].sort().join(' '))
                      : undefined,
                }),
            now: () => host.now(),
          });
    this.vcpu = vcpu;
    memory.releaseListener = () => vcpu.flushTlb('all');

    // Firmware tables and kernel.
    const acpi = buildAcpiTables({
      apicIds: [0],
      localApicGpa: LOCAL_APIC_GPA,
      ioapic: { id: IOAPIC_ID, gpa: IOAPIC_GPA },
      sciIrq: IRQ.sci,
      pmPort,
      pmTimerBits: PM_TIMER_BITS,
      reset: { port: PORT.reset, value: RESET_VALUE },
      rtcCenturyIndex: RTC_CENTURY,
      i8042: true,
      vga: firmware !== undefined,
      serialPorts: [{ port: PORT.com1, irq: IRQ.com1 }],
      pci: {
        ...(ecam === undefined ? {} : { ecam }),
        ioWindows: [PCI_IO_WINDOW],
        memoryWindows: isUefi
          ? [uefiPciWindow(config.memoryBytes)]
          : [PCI_MEMORY_WINDOW, ...(firmware ? [PCI_FIRMWARE_WINDOW] : [])],
        firstGsi: PCI_FIRST_GSI,
      },
      ...(firmware ? { gpa: 0 } : {}),
    });
    apic.enableVirtualWire();
    if (firmware !== undefined) {
      const { memoryBytes, cpus } = config;
      const log = (byte: number): void => host.consoleOutput(Uint8Array.of(byte));
      installFirmware({ firmware, memoryBytes, cpus, memory, ports, acpi, log });
      initialState(this.vcpu.state);
      this.vcpu.stateChanged();
      return;
    }
    if (config.kernel === undefined) {
      throw new VivariumError('nothing-to-boot', 'a machine needs a kernel or firmware');
    }
    const boot = loadKernel(config.kernel, {
      ...(config.initrd === undefined ? {} : { initrd: config.initrd }),
      cmdline: config.cmdline,
      memoryBytes: config.memoryBytes,
      memoryMap: memoryMap(config.memoryBytes),
      rsdpGpa: acpi.rsdpGpa,
      write: (gpa, bytes) => memory.write(gpa, bytes),
    });
    for (const { gpa, bytes } of acpi.tables) memory.write(gpa, bytes);
    enterBoot(this.vcpu.state, boot);
    this.vcpu.stateChanged();
  }

  #stopWith(reason: StopReason): void {
    this.uart.flush();
    this.#stop ??= reason;
    this.vcpu.requestExit();
  }

  /** Runs for about `nanoseconds` of guest time, less when the guest goes idle or stops. */
  runFor(nanoseconds: number): RunOutcome {
    const clock = this.clock;
    const end = clock.now() + nanoseconds;
    for (;;) {
      if (this.#stop !== undefined) return { kind: 'stopped', reason: this.#stop };
      clock.runDue();
      this.#cards.poll();
      const now = clock.now();
      if (now >= end) return { kind: 'running' };
      const until = Math.min(end, clock.nextDeadline(), now + LOOK_NANOSECONDS);
      const budget = Math.min(
        MAX_BUDGET,
        Math.max(MIN_BUDGET, Math.ceil((until - now) * this.#instructionsPerNanosecond)),
      );
      const exit = this.vcpu.run(budget);
      if (exit === 'shutdown') {
        this.uart.flush();
        return { kind: 'stopped', reason: describeShutdown(this.vcpu) };
      }
      if (exit === 'halt') {
        if (this.#stop !== undefined) continue;
        clock.runDue();
        this.#cards.poll();
        if (this.#apic.hasInterrupt() || this.#apic.nmiPending) continue;
        this.vcpu.rest?.();
        return { kind: 'idle', until: clock.nextDeadline() };
      }
      const took = clock.now() - now;
      if (took > 10_000) {
        // A running mean, so that one slow slice does not make the next one long.
        const speed = Math.min(1, budget / took);
        this.#instructionsPerNanosecond += (speed - this.#instructionsPerNanosecond) / 8;
      }
    }
  }

  /** Offers bytes typed at the serial console; returns how many were taken. */
  consoleInput(bytes: Uint8Array): number {
    return this.#cards.consoleInput(bytes) ?? this.uart.receive(bytes);
  }

  /** Offers what a person did; false while the guest is behind with what was before. */
  userInput(input: UserInput): boolean {
    if (input.kind === 'key') return this.#typist.offer(input.codes);
    const { mouse } = this.#i8042;
    if (mouse.waiting) return false;
    mouse.move(input.dx, input.dy, input.wheel, input.buttons);
    return true;
  }

  /** Takes in what has arrived for the devices from outside; true when an idle guest should run. */
  poll(): boolean {
    return this.#cards.poll();
  }

  /** A person presses the power button: the guest is asked to shut down. */
  pressPowerButton(): void {
    this.#acpiPm.pressPowerButton();
  }

  /** Lines of the text on the machine's screen; undefined when it has none or shows graphics. */
  screenText(): string[] | undefined {
    return this.#video?.lines();
  }

  /** What the machine's screen shows; undefined when it has none or shows nothing. */
  screenPicture(): Picture | undefined {
    return this.#video?.picture();
  }

  stats(): MachineStats {
    const vcpu = this.vcpu.stats();
    return {
      regions: 0,
      compileSeconds: 0,
      ...vcpu,
      hostSeconds: (this.#host.now() - this.#startedAt) / 1e9,
      hostCpuSeconds: this.#host.cpuSeconds() - this.#cpuAtStart,
      guestSeconds: this.clock.now() / 1e9,
      framesTouched: this.memory.framesTouched,
      framesInUse: this.memory.framesInUse,
      engine: this.#config.engine,
      devices: this.#cards.stats(),
    };
  }
}
