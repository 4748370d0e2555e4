export { codePage437, screenText } from './text-screen.ts';
export {
  type TextGeometry,
  Vga,
  VGA_CRTC_PORTS,
  VGA_FIRST_PORT,
  VGA_PORTS,
  VGA_STATUS_PORTS,
  type VgaState,
} from './vga.ts';
