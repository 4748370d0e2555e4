/** Starts a machine from firmware, as a PC does when it is switched on. */
import { type Bus, openBus } from '../../bus/mod.ts';
import { FW_CFG_PORTS, FwCfg } from '../../devices/fw-cfg/mod.ts';
import { byteBank } from '../../devices/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import type { AcpiTables } from '../acpi/mod.ts';
import type { FirmwareConfig } from '../config.ts';
import { PORT } from '../layout.ts';
import { firmwareFiles, firmwareItems } from './files.ts';
import { firmwareMemoryMap } from './memory.ts';
import { placeRom } from './rom.ts';
import { VIDEO_ROM_FILE } from './video.ts';

/** By this firmware knows that its debug port is there. */
const DEBUG_PORT_PRESENT = 0xe9;

export interface FirmwareStartOptions {
  readonly firmware: FirmwareConfig;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly memory: GuestMemory;
  readonly ports: Bus;
  readonly acpi: AcpiTables;
  /** what the firmware writes to its debug port */
  readonly log: (byte: number) => void;
}

/** Places the image, and plugs what the firmware asks its questions to. */
export function installFirmware(options: FirmwareStartOptions): FwCfg {
  const { firmware, memory, ports, acpi } = options;
  placeRom(memory, firmware.image, firmware.variables !== undefined);
  const fwCfg = new FwCfg(
    firmwareFiles({
      memoryMap: firmwareMemoryMap(options.memoryBytes, firmware.variables === undefined),
      acpi,
      serialConsolePort: PORT.com1,
      ...(firmware.videoRom === undefined
        ? {}
        : { videoRom: { name: VIDEO_ROM_FILE, bytes: firmware.videoRom } }),
    }),
    firmwareItems(options.cpus),
  );
  ports.map(PORT.fwCfg, FW_CFG_PORTS, fwCfg.registers);
  const hasLog = firmware.log === true;
  ports.map(
    PORT.firmwareDebug,
    1,
    byteBank(
      () => (hasLog ? DEBUG_PORT_PRESENT : openBus(1)),
      (_offset, value) => {
        if (hasLog) options.log(value);
      },
    ),
  );
  return fwCfg;
}
