export type { ShareOptions } from './context.ts';
export { isPlainName } from './fuse/request.ts';
export {
  type GuestOwner,
  type MetadataRecord,
  type MetadataStore,
  temporaryMetadata,
} from './guest-metadata.ts';
export type { HostEntry, HostFileSystem, HostFolder, HostStat } from './host-folder.ts';
export { FolderServer } from './server.ts';
export { singleFile } from './single-file.ts';
