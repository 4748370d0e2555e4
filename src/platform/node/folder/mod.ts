export { MetadataFile, metadataPath } from './metadata-file.ts';
export { NodeFolder } from './node-folder.ts';
export { openFolders } from './open-folders.ts';
export { Syncer } from './syncer.ts';
