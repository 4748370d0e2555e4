/**
 * What a guest may reach. Without rules, everything; with a list of rules, what one of them allows; with an empty
 * list, nothing.
 */
import { VivariumError } from '../../util/mod.ts';
import { type IpAddress, inPrefix, parseAddress } from '../address.ts';
import { SECOND } from '../clock.ts';
import { PLAN } from './plan.ts';

/** One `allow=` setting: `host`, an address, a network, a name or `*.name`, and perhaps ports. */
export interface AllowRule {
  readonly target:
    | { readonly kind: 'host' }
    | { readonly kind: 'network'; readonly bytes: Uint8Array; readonly prefix: number }
    /** lower case; `isSuffix`: every name below it too */
    | { readonly kind: 'name'; readonly name: string; readonly isSuffix: boolean };
  readonly firstPort: number;
  readonly lastPort: number;
}

const ALL_PORTS = { firstPort: 0, lastPort: 0xffff } as const;

/** Reads a rule: `host:8080`, `192.0.2.0/24`, `[2001:db8::1]:443`, `*.example.org:80-443`. */
export function parseAllowRule(text: string): AllowRule {
  const match = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(text);
  const bare = match === null && parseNetworkTarget(text); // IPv6 without brackets
  if (bare) return { target: bare, ...ALL_PORTS };
  const place = match?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  const target =
    place === 'host'
      ? ({ kind: 'host' } as const)
      : (parseNetworkTarget(place) ?? parseNameTarget(place));
  const firstPort = match?.[2] === undefined ? 0 : Number(match[2]);
  const lastPort = match?.[2] === undefined ? 0xffff : Number(match[3] ?? match[2]);
  if (target === undefined || firstPort > lastPort || lastPort > 0xffff) {
    throw new VivariumError(
      'option-invalid',
      `allow=${text}: a rule is host, an address, a network or a name, and perhaps :PORT or :FIRST-LAST`,
    );
  }
  return { target, firstPort, lastPort };
}

function parseNetworkTarget(text: string): AllowRule['target'] | undefined {
  const [address, length, ...rest] = text.split('/');
  const parsed = parseAddress(address ?? '');
  if (parsed === undefined || rest.length > 0) return undefined;
  const bits = parsed.bytes.length * 8;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = length === undefined ? bits : Number(length);
  return prefix <= bits ? { kind: 'network', bytes: parsed.bytes, prefix } : undefined;
}

function parseNameTarget(text: string): AllowRule['target'] | undefined {
  const isSuffix = text.startsWith('*.');
  const name = (isSuffix ? text.slice(2) : text).toLowerCase().replace(/\.$/, '');
  // A name of digits alone is a mistyped address.
  const isName = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(
    name,
  );
  if (!isName || /^[\d.]+$/.test(name)) return undefined;
  return { kind: 'name', name, isSuffix };
}

/** Addresses that names were answered with are remembered at least this long. */
const MIN_LEARNED = 300 * SECOND;
const MAX_LEARNED = 4096;

export class Policy {
  readonly #rules: readonly AllowRule[] | undefined;
  readonly #now: () => number;
  /** by address: the name that it was an answer for, and until when */
  readonly #learned = new Map<IpAddress, { readonly name: string; readonly until: number }>();

  /** `now` gives monotonic nanoseconds. */
  constructor(rules: readonly AllowRule[] | undefined, now: () => number) {
    this.#rules = rules;
    this.#now = now;
  }

  /** True when the guest may send to `port` at `address`, as the guest names it. */
  allows(address: IpAddress, port: number): boolean {
    return this.#some(address, (rule) => port >= rule.firstPort && port <= rule.lastPort);
  }

  /** True when the guest may send to every port of `address`: what an echo request needs. */
  allowsAll(address: IpAddress): boolean {
    return this.#some(address, (rule) => rule.firstPort === 0 && rule.lastPort === 0xffff);
  }

  /** True when the guest may ask for `name` (lower case). */
  allowsName(name: string): boolean {
    return this.#rules === undefined || this.#rules.some((rule) => isNamed(rule, name));
  }

  /** Remembers that `name`, which the guest may ask for, has this address for `seconds`. */
  learn(name: string, address: IpAddress, seconds: number): void {
    if (this.#rules === undefined) return;
    if (this.#learned.size >= MAX_LEARNED) {
      const [oldest] = this.#learned.keys();
      if (oldest !== undefined) this.#learned.delete(oldest);
    }
    this.#learned.delete(address);
    const lifetime = Math.max(MIN_LEARNED, seconds * SECOND);
    this.#learned.set(address, { name, until: this.#now() + lifetime });
  }

  #some(address: IpAddress, hasPort: (rule: AllowRule) => boolean): boolean {
    if (this.#rules === undefined) return true;
    return this.#rules.some((rule) => hasPort(rule) && this.#matches(rule, address));
  }

  #matches(rule: AllowRule, address: IpAddress): boolean {
    const { target } = rule;
    // The host's loopback is reached by the rule `host` alone: no other rule opens it by chance.
    const isHost = address === PLAN[4].gateway || address === PLAN[6].gateway;
    if (isHost || target.kind === 'host') return isHost && target.kind === 'host';
    if (target.kind === 'network') return inPrefix(address, target.bytes, target.prefix);
    const learned = this.#learned.get(address);
    return learned !== undefined && learned.until > this.#now() && isNamed(rule, learned.name);
  }
}

function isNamed({ target }: AllowRule, name: string): boolean {
  if (target.kind !== 'name') return false;
  return name === target.name || (target.isSuffix && name.endsWith(`.${target.name}`));
}
