/** Registers of virtio over PCI. VIRTIO 1.2, section 4.1.4. */

/** Kinds of structures, told by vendor capabilities. */
export const VIRTIO_PCI_CAP = { common: 1, notify: 2, isr: 3, device: 4, pci: 5 } as const;

/** Where the structures lie in the one BAR. */
export const PLACE = {
  common: 0x0000,
  isr: 0x1000,
  device: 0x2000,
  notify: 0x3000,
  msixTable: 0x4000,
  msixPending: 0x6000,
} as const;
export const STRUCTURE_BYTES = 0x1000;
export const MSIX_TABLE_BYTES = 0x2000;
export const BAR = 0;
export const BAR_BYTES = 0x8000;
/** Queue `n` is notified at offset 4n. */
export const NOTIFY_MULTIPLIER = 4;

/** `struct virtio_pci_common_cfg`: offset and size of each field. A 64-bit field is two of 32. */
export const COMMON = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configVector: 0x10,
  queueCount: 0x12,
  status: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOffset: 0x1e,
  descriptorsLow: 0x20,
  descriptorsHigh: 0x24,
  driverLow: 0x28,
  driverHigh: 0x2c,
  deviceLow: 0x30,
  deviceHigh: 0x34,
} as const;
export const COMMON_BYTES = 0x38;

const COMMON_FIELDS_OF_2: readonly number[] = [0x10, 0x12, 0x16, 0x18, 0x1a, 0x1c, 0x1e];
const COMMON_FIELDS_OF_1: readonly number[] = [0x14, 0x15];
/** Size in bytes of the field at each offset. */
export const COMMON_FIELD_BYTES: ReadonlyMap<number, number> = new Map(
  Object.values(COMMON).map((offset) => [
    offset,
    COMMON_FIELDS_OF_2.includes(offset) ? 2 : COMMON_FIELDS_OF_1.includes(offset) ? 1 : 4,
  ]),
);

export const NO_VECTOR = 0xffff;
export const ISR_QUEUE = 1;
export const ISR_CONFIG = 2;
