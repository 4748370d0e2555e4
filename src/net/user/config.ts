/** Reads the options of the command line about networks: `--net` and `-p`. */
import { VivariumError } from '../../util/mod.ts';
import { type IpAddress, parseAddress } from '../address.ts';
import { type AllowRule, parseAllowRule } from './policy.ts';

/** A port of the host that leads to a port of the guest. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: IpAddress;
  /** 0: the host chooses one */
  readonly hostPort: number;
  readonly guestPort: number;
}

/** What a machine is connected to. */
export interface UserNetworkConfig {
  /** what the guest may reach; undefined: everything that the host can reach, none: nothing */
  readonly allow: readonly AllowRule[] | undefined;
  readonly forwards: readonly PortForward[];
}

/** Only programs of the host itself reach a forwarded port, unless an address is given. */
const DEFAULT_FORWARD_ADDRESS = '127.0.0.1';

/**
 * Reads `none`, `user` or `user,allow=RULE,allow=RULE...`. An empty `allow=` denies everything. Undefined for no
 * network. Throws a `VivariumError` with code `option-invalid`.
 */
export function parseNetwork(
  text: string,
  forwards: readonly string[],
): UserNetworkConfig | undefined {
  const [kind, ...settings] = text.split(',');
  if (kind === 'none') {
    if (settings.length > 0) throw invalid(`--net none takes no settings`);
    if (forwards.length > 0) throw invalid('-p needs a network; add --net user');
    return undefined;
  }
  if (kind !== 'user') throw invalid(`"${kind}" is no network; use none, user or switch:NAME`);
  let allow: AllowRule[] | undefined;
  for (const setting of settings) {
    const match = /^allow=(.*)$/.exec(setting);
    if (match === null) throw invalid(`--net user has no setting "${setting}"; it has allow=`);
    allow ??= [];
    const rule = match[1] as string;
    if (rule !== '') allow.push(parseAllowRule(rule));
  }
  return { allow, forwards: forwards.map(parseForward) };
}

/** Reads `[ADDRESS:]HOST:GUEST[/udp|/tcp]`, with an IPv6 address in brackets. */
export function parseForward(text: string): PortForward {
  const match =
    /^(?:(\[[^\]]*\]|[^:[\]]*):)?(\d{1,5}):(\d{1,5})(?:\/(udp|tcp))?$/.exec(text) ?? undefined;
  const [, host, hostPort, guestPort, protocol] = match ?? [];
  if (match === undefined || Number(hostPort) > 0xffff || !isPort(Number(guestPort))) {
    throw invalid(
      `"${text}" is no port forward; it reads [ADDRESS:]HOST:GUEST[/udp], like 8080:80`,
    );
  }
  const address = parseAddress(host?.replace(/^\[|\]$/g, '') ?? DEFAULT_FORWARD_ADDRESS);
  if (address === undefined) {
    throw invalid(`"${text}": ${host} is no address; a forward may begin with one, like 127.0.0.1`);
  }
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    hostAddress: address.text,
    hostPort: Number(hostPort),
    guestPort: Number(guestPort),
  };
}

function isPort(port: number): boolean {
  return port > 0 && port <= 0xffff;
}

function invalid(message: string): VivariumError {
  return new VivariumError('option-invalid', message);
}
