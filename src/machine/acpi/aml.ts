/**
 * An assembler for the little ACPI Machine Language that describes a machine: names, devices, packages,
 * buffers. ACPI specification 6.5, chapter 20 "ACPI Machine Language (AML) Specification".
 * Left out: methods with anything but a body given as bytes, fields, operators.
 */

/** Encoded terms or data. */
export type Aml = Uint8Array;

/** Joins encoded pieces and single bytes. */
export function concat(...parts: readonly (Aml | number)[]): Aml {
  let length = 0;
  for (const part of parts) length += typeof part === 'number' ? 1 : part.length;
  const result = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'number') {
      result[at++] = part;
    } else {
      result.set(part, at);
      at += part.length;
    }
  }
  return result;
}

/** `value` in `size` bytes, little-endian. Exact for 52-bit values in 8 bytes. */
export function littleEndian(value: number, size: number): Aml {
  const result = new Uint8Array(size);
  for (let index = 0, rest = value; index < size; index++, rest = Math.floor(rest / 256)) {
    result[index] = rest % 256;
  }
  return result;
}

export function ascii(text: string): Aml {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Puts the length in front of `body`: section 20.2.4 "Package Length Encoding"; it counts itself. */
function withLength(body: Aml): Aml {
  if (body.length + 1 < 0x40) return concat(body.length + 1, body);
  for (let extra = 1; extra <= 3; extra++) {
    const length = body.length + 1 + extra;
    if (length < 2 ** (4 + 8 * extra)) {
      return concat((extra << 6) | (length & 0xf), littleEndian(length >> 4, extra), body);
    }
  }
  throw new RangeError('AML package too long');
}

/** `PCI0`, `\_SB_`, `\_SB_.PCI0`: segments are padded to four letters. */
function namePath(path: string): Aml {
  const rooted = path.startsWith('\\');
  const segments = (rooted ? path.slice(1) : path).split('.');
  const encoded = segments.map((segment) => ascii(segment.padEnd(4, '_')));
  const prefix =
    segments.length === 1 ? [] : segments.length === 2 ? [0x2e] : [0x2f, segments.length];
  return concat(...(rooted ? [0x5c] : []), ...prefix, ...encoded);
}

/** The shortest encoding of a whole number. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return Uint8Array.of(value);
  if (value < 2 ** 8) return concat(0x0a, littleEndian(value, 1));
  if (value < 2 ** 16) return concat(0x0b, littleEndian(value, 2));
  if (value < 2 ** 32) return concat(0x0c, littleEndian(value, 4));
  return concat(0x0e, littleEndian(value, 8));
}

export function string(text: string): Aml {
  return concat(0x0d, ascii(text), 0);
}

/** A compressed identifier such as `PNP0501`: three letters of five bits, four hexadecimal digits. */
export function eisaId(id: string): Aml {
  const letter = (index: number) => id.charCodeAt(index) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return concat(0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff);
}

export function packageOf(...elements: readonly Aml[]): Aml {
  return concat(0x12, withLength(concat(elements.length, ...elements)));
}

export function buffer(bytes: Aml): Aml {
  return concat(0x11, withLength(concat(integer(bytes.length), bytes)));
}

export function name(path: string, value: Aml): Aml {
  return concat(0x08, namePath(path), value);
}

export function scope(path: string, ...terms: readonly Aml[]): Aml {
  return concat(0x10, withLength(concat(namePath(path), ...terms)));
}

export function device(path: string, ...terms: readonly Aml[]): Aml {
  return concat(0x5b, 0x82, withLength(concat(namePath(path), ...terms)));
}
