/** What stands on a text screen, as lines of Unicode. */
import type { TextGeometry } from './vga.ts';

/** Characters 0x01 to 0x1f and 0x7f of code page 437. */
const LOW = '☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼';
/** Characters 0x80 to 0xff of code page 437. */
const HIGH =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ';

/** A byte of code page 437 as Unicode. */
export function codePage437(byte: number): string {
  if (byte >= 0x80) return HIGH[byte - 0x80] as string;
  if (byte === 0x7f) return '⌂';
  if (byte >= 0x20) return String.fromCharCode(byte);
  return byte === 0 ? ' ' : (LOW[byte - 1] as string);
}

/** Lines of the screen without trailing blanks; `memory` is that at B8000, 32 KiB. */
export function screenText(memory: Uint8Array, geometry: TextGeometry): string[] {
  const lines: string[] = [];
  for (let row = 0; row < geometry.rows; row++) {
    let line = '';
    for (let column = 0; column < geometry.columns; column++) {
      const place = geometry.start + row * geometry.pitch + column;
      line += codePage437(memory[(2 * place) % memory.length] ?? 0);
    }
    lines.push(line.trimEnd());
  }
  return lines;
}
