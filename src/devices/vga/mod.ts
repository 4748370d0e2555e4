export { codePage437, screenText } from './text-screen.ts';
export {
  type TextGeometry,
  VGA_CRTC_PORTS,
  VGA_FIRST_PORT,
  VGA_PORTS,
  VGA_STATUS_PORTS,
  Vga,
  type VgaState,
} from './vga.ts';
