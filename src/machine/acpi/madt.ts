/** The multiple APIC description table. ACPI specification 6.5, section 5.2.12. */
import { type Aml, concat, littleEndian } from './aml.ts';
import type { AcpiDescription } from './description.ts';
import { AcpiTable, TABLE_HEADER_BYTES } from './table.ts';

const MADT_REVISION = 5;
const PCAT_COMPATIBLE = 1; // there is a pair of 8259s, to be disabled when the IOAPIC is used

const LOCAL_APIC = 0;
const IOAPIC = 1;
const INTERRUPT_SOURCE_OVERRIDE = 2;
const LOCAL_APIC_NMI = 4;

const LOCAL_APIC_ENABLED = 1;
/** MPS INTI flags: polarity 1 active high; trigger mode 3 level; 0 as the bus has it. */
const ACTIVE_HIGH_LEVEL = 0x1 | (0x3 << 2);
const ALL_PROCESSORS = 0xff;

export function buildMadt(description: AcpiDescription): Uint8Array<ArrayBuffer> {
  const { apicIds, ioapic, localApicGpa, sciIrq } = description;
  const entries = concat(
    ...apicIds.map((id, uid) => entry(LOCAL_APIC, uid, id, littleEndian(LOCAL_APIC_ENABLED, 4))),
    entry(IOAPIC, ioapic.id, 0, littleEndian(ioapic.gpa, 4), littleEndian(0, 4)),
    override(0, 2, 0), // the timer comes on pin 2
    override(sciIrq, sciIrq, ACTIVE_HIGH_LEVEL),
    entry(LOCAL_APIC_NMI, ALL_PROCESSORS, littleEndian(0, 2), 1),
  );
  const table = new AcpiTable('APIC', MADT_REVISION, TABLE_HEADER_BYTES + 8 + entries.length);
  table.u32(36, localApicGpa);
  table.u32(40, PCAT_COMPATIBLE);
  table.put(44, entries);
  return table.finish();
}

function entry(type: number, ...parts: readonly (Aml | number)[]): Aml {
  const body = concat(...parts);
  return concat(type, body.length + 2, body);
}

function override(isaIrq: number, gsi: number, flags: number): Aml {
  return entry(INTERRUPT_SOURCE_OVERRIDE, 0, isaIrq, littleEndian(gsi, 4), littleEndian(flags, 2));
}
