/** The host's own table of names, which its name servers do not know. */
import { readFile } from 'node:fs/promises';
import { type IpAddress, parseAddress } from '../../../net/mod.ts';

const PATH =
  process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts';
/** How long a reading is good for, in milliseconds. */
const FRESH = 5000;

let table = new Map<string, IpAddress[]>();
let readAt = Number.NEGATIVE_INFINITY;

/** The addresses of `name` (lower case) in the host's table; none when it is not there. */
export async function hostsFileAddresses(name: string): Promise<readonly IpAddress[]> {
  if (performance.now() - readAt > FRESH) {
    readAt = performance.now();
    table = parse(await readFile(PATH, 'utf8').catch(() => ''));
  }
  return table.get(name) ?? [];
}

function parse(text: string): Map<string, IpAddress[]> {
  const result = new Map<string, IpAddress[]>();
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const parsed = parseAddress(address ?? '');
    if (parsed === undefined) continue;
    for (const name of names.map((each) => each.toLowerCase())) {
      result.set(name, [...(result.get(name) ?? []), parsed.text]);
    }
  }
  return result;
}
