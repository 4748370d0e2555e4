import { constants } from 'node:os';
import { Machine, type MachineEnd } from '../client/mod.ts';
import { BackgroundProcess } from '../daemon/mod.ts';
import { detach } from './detach.ts';
import { describeEnd, EXIT_OK, EXIT_SIGNAL, EXIT_TIMEOUT, EXIT_USER } from './exit-code.ts';
import { MachinePlace } from './machine-place.ts';
import { Progress, say } from './messages.ts';
import type { RunOptions } from './run-options.ts';
import { saveScreen } from './save-screen.ts';
import { openSerial } from './serial/open.ts';
import type { Departure, Serial } from './serial/serial.ts';
import { SignalWatch } from './signals.ts';
import { writeStats, writeTrace } from './stats.ts';
import { terminalEnvironment } from './terminal.ts';

/** How long the guest's last words may take to leave after a signal, in milliseconds. */
const DRAIN_LIMIT = 500;

/** Settings for tests. */
export interface RunSettings {
  /** another module than the product's that exports `Board`: a URL */
  readonly boardModule?: string;
}

/** What ended the run. */
type Ending =
  | { readonly kind: 'machine'; readonly end: MachineEnd }
  | { readonly kind: 'signal'; readonly code: number }
  | { readonly kind: 'departure'; readonly departure: Departure }
  | { readonly kind: 'timeout' };

/** `viv run`: one machine from power-on to its end. Returns the exit code; throws what `Machine` throws. */
export async function run(given: RunOptions, settings: RunSettings): Promise<number> {
  const background = BackgroundProcess.take();
  if (given.detach === true && background === undefined) return await detach();
  const signals = new SignalWatch(background === undefined);
  const place = await MachinePlace.take(given, background);
  // The systems of images are entered through their vsock.
  const vsock = given.vsock ?? (given.image === undefined ? undefined : place.vsockPath);
  const options = vsock === undefined ? given : { ...given, vsock };
  try {
    const serial = await openSerial(options.serial, place.logDirectory);
    try {
      const created = createMachine(options, settings);
      const machine = await Promise.race([created, signals.first]);
      if (typeof machine === 'number') return machine;
      try {
        return await runMachine(machine, serial, signals, options, place);
      } finally {
        await machine.stop();
      }
    } finally {
      serial.close();
    }
  } finally {
    place.leave();
  }
}

async function createMachine(options: RunOptions, settings: RunSettings): Promise<Machine> {
  const progress = new Progress();
  const isOurGuest = options.kernel === undefined && options.serial === 'stdio';
  try {
    return await Machine.create({
      kernel: options.kernel,
      firmware: options.firmware,
      cdrom: options.cdrom,
      initrd: options.initrd,
      cmdline: options.cmdline,
      appendCmdline: isOurGuest ? terminalEnvironment() : undefined,
      disks: options.disk,
      consoleDevice: options.console === 'virtio' ? 'virtio' : 'serial',
      net: options.net,
      publish: options.publish,
      folders: options.volume,
      vsock: options.vsock,
      netDump: options.netDump,
      memory: options.memory,
      cpus: options.cpus,
      cpu: options.cpu,
      engine: options.engine,
      trace: options.trace,
      codeArchive: options.codeArchive,
      eager: options.eager,
      debugExit: options.debugExit,
      noReboot: !options.reboot,
      progress: (message) => progress.show(message),
      notice: (message) => say(message, false),
      boardModule: settings.boardModule,
    });
  } finally {
    progress.clear();
  }
}

async function runMachine(
  machine: Machine,
  serial: Serial,
  signals: SignalWatch,
  options: RunOptions,
  place: MachinePlace,
): Promise<number> {
  place.serve(machine, options.vsock);
  serial.connect(machine.console);
  const timer = Promise.withResolvers<Ending>();
  const timeout =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => timer.resolve({ kind: 'timeout' }), options.timeout * 1000);
  await machine.start();
  await place.started();
  const ending = await Promise.race<Ending>([
    machine.wait().then((end) => ({ kind: 'machine', end })),
    signals.first.then(endingOfSignal),
    serial.departure.then((departure) => ({ kind: 'departure', departure })),
    timer.promise,
  ]);
  clearTimeout(timeout);
  await machine.stop();
  if (ending.kind === 'machine') await Promise.race([serial.drain(), signals.first]);
  else await Promise.race([serial.drain(), sleep(DRAIN_LIMIT)]);
  const isAtLineStart = serial.isAtLineStart;
  serial.close();
  const { code, message } = describe(ending, options);
  if (message !== undefined) say(message, isAtLineStart);
  if (options.console === 'vga') await showScreen(machine);
  if (options.screenshot !== undefined)
    await saveScreen(await machine.screen(), options.screenshot);
  if (options.trace !== undefined) writeTrace(await machine.stats(), options.traceFile);
  if (options.stats !== undefined) writeStats(await machine.stats(), options.stats);
  place.ended(code);
  return code;
}

/** A hang-up means that the terminal was closed, if there was one. */
function endingOfSignal(code: number): Ending {
  const isHangUp = code === EXIT_SIGNAL + constants.signals.SIGHUP;
  if (isHangUp && process.stdin.isTTY === true) return { kind: 'departure', departure: 'hang-up' };
  return { kind: 'signal', code };
}

/** Prints what stands on the screen of a machine that has ended. */
async function showScreen(machine: Machine): Promise<void> {
  const screen = await machine.screenText();
  const text = screen?.join('\n').trimEnd() ?? 'the screen shows no text';
  process.stderr.write(`${text}\n`);
}

function describe(ending: Ending, options: RunOptions): { code: number; message?: string } {
  switch (ending.kind) {
    case 'machine':
      return describeEnd(ending.end);
    case 'signal':
      return { code: ending.code };
    case 'timeout':
      return {
        code: EXIT_TIMEOUT,
        message: `the machine was still running after ${options.timeout} seconds`,
      };
    case 'departure':
      return describeDeparture(ending.departure);
  }
}

function describeDeparture(departure: Departure): { code: number; message?: string } {
  switch (departure) {
    case 'left':
      return { code: EXIT_OK, message: 'left the machine; it is switched off' };
    case 'output-closed':
      return {
        code: EXIT_USER,
        message: 'standard output was closed; the machine is switched off',
      };
    case 'hang-up':
      return {
        code: EXIT_USER,
        message: 'the terminal was closed; the machine is switched off',
      };
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
