export type { TextGeometry } from './geometry.ts';
export type { Picture } from './picture.ts';
export { VGA_WINDOW_BYTES } from './planes.ts';
export { codePage437, screenText } from './text-screen.ts';
export {
  VBE_FIRST_PORT,
  VBE_PORTS,
  VGA_CRTC_PORTS,
  VGA_FIRST_PORT,
  VGA_PORTS,
  VGA_REGISTER_BYTES,
  VGA_STATUS_PORTS,
  Vga,
  type VgaOptions,
} from './vga.ts';
export type { VgaState } from './vga-state.ts';
export { plainVideoMemory, type VideoMemory } from './video-memory.ts';
