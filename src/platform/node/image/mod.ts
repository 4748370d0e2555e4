export { buildDebianImage, type DebianBuild } from './build-debian.ts';
export { findProgram } from './tools.ts';
