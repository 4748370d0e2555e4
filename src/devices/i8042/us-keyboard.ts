/**
 * What a person types on a US keyboard, as the codes that the keyboard sends: scan code set 2.
 * Microsoft, "Keyboard Scan Code Specification" (revision 1.3a), appendix A; IBM PS/2 technical reference.
 */
import { VivariumError } from '../../util/mod.ts';

const EXTENDED = 0xe0;
const BREAK = 0xf0;

/** Keys by name; two bytes for those that came with the enhanced keyboard. */
const KEYS: Readonly<Record<string, readonly number[]>> = {
  ...keyRow(
    'abcdefghijklmnopqrstuvwxyz',
    [
      0x1c, 0x32, 0x21, 0x23, 0x24, 0x2b, 0x34, 0x33, 0x43, 0x3b, 0x42, 0x4b, 0x3a, 0x31, 0x44,
      0x4d, 0x15, 0x2d, 0x1b, 0x2c, 0x3c, 0x2a, 0x1d, 0x22, 0x35, 0x1a,
    ],
  ),
  ...keyRow('0123456789', [0x45, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46]),
  ...keyRow(
    "`-=[]\\;',./ ",
    [0x0e, 0x4e, 0x55, 0x54, 0x5b, 0x5d, 0x4c, 0x52, 0x41, 0x49, 0x4a, 0x29],
  ),
  ...functionKeys([0x05, 0x06, 0x04, 0x0c, 0x03, 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x78, 0x07]),
  enter: [0x5a],
  esc: [0x76],
  backspace: [0x66],
  tab: [0x0d],
  space: [0x29],
  capslock: [0x58],
  numlock: [0x77],
  scrolllock: [0x7e],
  shift: [0x12],
  ctrl: [0x14],
  alt: [0x11],
  altgr: [EXTENDED, 0x11],
  super: [EXTENDED, 0x1f],
  menu: [EXTENDED, 0x2f],
  insert: [EXTENDED, 0x70],
  delete: [EXTENDED, 0x71],
  home: [EXTENDED, 0x6c],
  end: [EXTENDED, 0x69],
  pageup: [EXTENDED, 0x7d],
  pagedown: [EXTENDED, 0x7a],
  up: [EXTENDED, 0x75],
  down: [EXTENDED, 0x72],
  left: [EXTENDED, 0x6b],
  right: [EXTENDED, 0x74],
};

const ALIASES: Readonly<Record<string, string>> = {
  return: 'enter',
  escape: 'esc',
  del: 'delete',
  ins: 'insert',
  bs: 'backspace',
  control: 'ctrl',
  win: 'super',
  pgup: 'pageup',
  pgdn: 'pagedown',
};

/** Characters that need the shift key, and the keys they are on. */
const SHIFTED: Readonly<Record<string, string>> = Object.fromEntries(
  [...'!@#$%^&*()_+~{}|:"<>?'].map((character, index) => [
    character,
    "1234567890-=`[]\\;',./".charAt(index),
  ]),
);
const MODIFIERS = ['shift', 'ctrl', 'alt', 'altgr', 'super'];

/** Bytes that the keyboard sends for one key going down or up. */
export type Stroke = readonly number[];

/**
 * The strokes for `text`. A newline is Enter, a tab is Tab; `<name>` is a key such as `<f12>`, `<up>`
 * or `<esc>`, with modifiers before it as in `<ctrl-c>` and `<ctrl-alt-delete>`; `<lt>` is a plain `<`.
 * Throws `key-unknown` for a key that there is not.
 */
export function strokesOf(text: string): Stroke[] {
  const strokes: Stroke[] = [];
  for (let at = 0; at < text.length; ) {
    const named = /^<([a-z][a-z0-9]*(?:-.|-[a-z][a-z0-9]*)*)>/i.exec(text.slice(at));
    if (named !== null) {
      strokes.push(...chord(named[1] as string));
      at += named[0].length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) as number);
    strokes.push(...press(character, character));
    at += character.length;
  }
  return strokes;
}

/** `ctrl-alt-delete`, or a single key. */
function chord(name: string): Stroke[] {
  if (name.toLowerCase() === 'lt') return press('<', '<');
  const parts = name.split('-');
  // The minus key itself is last: `ctrl--`.
  if (name.endsWith('--')) parts.splice(-2, 2, '-');
  const last = parts.pop() as string;
  const modifiers = parts.map((part) => keyName(part));
  const wrong = modifiers.find((modifier) => !MODIFIERS.includes(modifier));
  if (wrong !== undefined) throw unknownKey(`<${name}>`);
  const inner = last.length === 1 ? press(last, `<${name}>`) : press(keyName(last), `<${name}>`);
  return [
    ...modifiers.map((modifier) => make(KEYS[modifier] as Stroke)),
    ...inner,
    ...modifiers.toReversed().map((modifier) => release(KEYS[modifier] as Stroke)),
  ];
}

function keyName(part: string): string {
  const name = part.toLowerCase();
  return ALIASES[name] ?? name;
}

/** One character or named key, with the shift key around it where it needs that. */
function press(key: string, typed: string): Stroke[] {
  if (key === '\n' || key === '\r') return press('enter', typed);
  if (key === '\t') return press('tab', typed);
  const lower = SHIFTED[key] ?? (/^[A-Z]$/.test(key) ? key.toLowerCase() : undefined);
  if (lower !== undefined) {
    const shift = KEYS['shift'] as Stroke;
    return [make(shift), ...press(lower, typed), release(shift)];
  }
  const codes = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  if (codes === undefined) throw unknownKey(typed);
  return [make(codes), release(codes)];
}

function make(codes: Stroke): Stroke {
  return codes;
}

function release(codes: Stroke): Stroke {
  return [...codes.slice(0, -1), BREAK, codes.at(-1) as number];
}

function unknownKey(typed: string): VivariumError {
  return new VivariumError(
    'key-unknown',
    `a US keyboard has no key for ${JSON.stringify(typed)}; keys with names are written like ` +
      '<enter>, <esc>, <f12>, <up>, <ctrl-c>, <ctrl-alt-delete>',
  );
}

function keyRow(characters: string, codes: readonly number[]): Record<string, number[]> {
  return Object.fromEntries([...characters].map((each, index) => [each, [codes[index] as number]]));
}

function functionKeys(codes: readonly number[]): Record<string, number[]> {
  return Object.fromEntries(codes.map((code, index) => [`f${index + 1}`, [code]]));
}
