export {
  ACPI_DEFAULT_GPA,
  type AcpiTables,
  buildAcpiTables,
  type PlacedTable,
} from './build.ts';
export type { AcpiDescription, AcpiPciDescription } from './description.ts';
