/** The network of a machine: what the user says, checked. */
import { randomBytes } from 'node:crypto';
import { type NetworkConfig, parseMac, parseNetworkConfig } from '../net/mod.ts';
import { VivariumError } from '../util/mod.ts';

/** A port of the host that leads into a machine. */
export interface ForwardedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  /** the port that the host chose, when none was asked for */
  readonly hostPort: number;
  readonly guestPort: number;
}

/** Locally administered; the guest is alone on the link of a user-mode network. */
const DEFAULT_MAC = '52:54:00:12:34:56';

export interface CheckedNetwork {
  readonly config: NetworkConfig;
  readonly mac: Uint8Array;
  readonly dump: string | undefined;
}

/** What the options `net`, `publish` and `netDump` come to; undefined for a machine without a network. */
export function checkNetwork(options: {
  readonly net: string;
  readonly publish: readonly string[];
  readonly netDump?: string | undefined;
}): CheckedNetwork | undefined {
  const { net, publish, netDump } = options;
  const config = parseNetworkConfig(net, publish);
  if (config === undefined) {
    if (netDump === undefined) return undefined;
    throw new VivariumError('option-invalid', '--net-dump needs a network; add --net user');
  }
  return { config, mac: macFor(config), dump: netDump };
}

/** On a switch every card has an address of its own. */
function macFor(config: NetworkConfig): Uint8Array {
  if (config.kind === 'user') return parseMac(DEFAULT_MAC) as Uint8Array;
  return config.switch.mac ?? Uint8Array.of(0x52, 0x54, 0, ...randomBytes(3));
}
