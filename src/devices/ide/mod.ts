export { AtaDisk, type AtaDiskOptions, type AtaDiskState } from './ata-disk.ts';
export { AtapiCdrom, type AtapiCdromOptions, type AtapiCdromState } from './atapi-cdrom.ts';
export {
  IDE_COMMAND_PORTS,
  IDE_PORTS,
  IdeController,
  type IdeControllerOptions,
  type IdeControllerState,
} from './controller.ts';
export type { IdeDrive } from './drive.ts';
