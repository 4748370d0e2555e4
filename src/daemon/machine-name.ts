/** Names of machines. */
import { VivariumError } from '../util/mod.ts';

const PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** Checks a name that somebody chose: it becomes the name of a directory. */
export function checkName(name: string): string {
  if (PATTERN.test(name)) return name;
  throw new VivariumError(
    'name-invalid',
    `"${name}" is no name for a machine: use up to 63 letters, digits, "-", "_" and ".", ` +
      'the first a letter or digit',
  );
}

const qualities =
  'amber brisk calm clear deft early fair gentle keen light mellow nimble plain quick ruddy sunny'.split(
    ' ',
  );
const beings =
  'beetle bramble cricket finch heron iris lichen linnet marten newt osprey poppy sedge thistle trout wren'.split(
    ' ',
  );

/** A name that nobody chose; `random` gives numbers from 0 to 1. */
export function makeName(random: () => number = Math.random): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)];
  const number = Math.floor(random() * 100);
  return `${pick(qualities)}-${pick(beings)}-${number}`;
}
