/**
 * The package sources of a Debian host that have a given release, so that an image is built from where
 * the host itself gets packages. sources.list(5), both formats.
 */
import { parseStanzas } from '../debian.ts';

/** A file of package sources. */
export interface SourcesFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The sources that have `release` itself or its updates, in the format of their file; none if the
 * host has no source of the release itself.
 */
export function sourcesOfRelease(files: readonly SourcesFile[], release: string): string[] {
  const suites = new Set([release, `${release}-updates`, `${release}-security`]);
  const found: { text: string; suites: readonly string[] }[] = [];
  for (const { name, text } of files) {
    if (name.endsWith('.sources')) found.push(...stanzasWith(text, suites));
    else found.push(...linesWith(text, suites));
  }
  const isThere = found.some((each) => each.suites.includes(release));
  return isThere ? found.map((each) => each.text) : [];
}

function stanzasWith(text: string, wanted: ReadonlySet<string>) {
  const stanzas: { text: string; suites: readonly string[] }[] = [];
  const plain = text.replace(/^#.*\n?/gm, '');
  for (const fields of parseStanzas(plain)) {
    const suites = words(fields.get('Suites')).filter((suite) => wanted.has(suite));
    const isOff = /^(no|false|0|off)$/i.test(fields.get('Enabled') ?? '');
    if (suites.length === 0 || isOff || !words(fields.get('Types')).includes('deb')) continue;
    if (!words(fields.get('Components')).includes('main')) continue;
    const lines = [...fields].map(([name, value]) => {
      if (name === 'Suites') return `Suites: ${suites.join(' ')}`;
      if (name === 'Types') return 'Types: deb';
      return `${name}: ${value.replaceAll('\n', '\n ')}`;
    });
    stanzas.push({ text: `${lines.join('\n')}\n`, suites });
  }
  return stanzas;
}

function linesWith(text: string, wanted: ReadonlySet<string>) {
  const lines: { text: string; suites: readonly string[] }[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(\[[^\]]*\]\s+)?\S+\s+(\S+)\s+([^#]*)/.exec(line);
    const suite = match?.[2];
    if (suite === undefined || !wanted.has(suite)) continue;
    if (words(match?.[3]).includes('main'))
      lines.push({ text: `${line.trim()}\n`, suites: [suite] });
  }
  return lines;
}

function words(text = ''): string[] {
  return text.split(/\s+/).filter(Boolean);
}
