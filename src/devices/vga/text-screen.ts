/** What stands on a text screen, as lines of Unicode. */
import type { TextGeometry } from './geometry.ts';

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

/** Lines of the screen without trailing blanks; characters are plane 0 of the card's memory. */
export function screenText(memory: Uint8Array, geometry: TextGeometry): string[] {
  const lines: string[] = [];
  for (let row = 0; row < geometry.rows; row++) {
    let line = '';
    for (let column = 0; column < geometry.columns; column++) {
      line += codePage437(memory[textCell(geometry, row, column)] ?? 0);
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/** Where the character of a cell lies; its attribute is the next byte. */
export function textCell(geometry: TextGeometry, row: number, column: number): number {
  const place = geometry.start + row * geometry.pitch + column;
  return (place % 0x1_0000) * 4;
}
