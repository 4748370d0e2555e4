/** Reads `--net`: what a machine is connected to. */
import { VivariumError } from '../util/mod.ts';
import { parseMac } from './mac.ts';
import { parseNetwork, type UserNetworkConfig } from './user/config.ts';

/** A virtual switch between the machines of one user on one host. */
export interface SwitchConfig {
  readonly name: string;
  /** the card's address; one that nobody else has if absent */
  readonly mac: Uint8Array<ArrayBuffer> | undefined;
}

export type NetworkConfig =
  | { readonly kind: 'user'; readonly user: UserNetworkConfig }
  | { readonly kind: 'switch'; readonly switch: SwitchConfig };

/**
 * Reads `none`, `user[,allow=RULE...]` or `switch:NAME[,mac=ADDRESS]`, and the ports to forward. Undefined for no
 * network. Throws a `VivariumError` with code `option-invalid`.
 */
export function parseNetworkConfig(
  text: string,
  forwards: readonly string[],
): NetworkConfig | undefined {
  if (!text.startsWith('switch')) {
    const user = parseNetwork(text, forwards);
    return user === undefined ? undefined : { kind: 'user', user };
  }
  const [place = '', ...settings] = text.split(',');
  const name = /^switch:([a-z0-9][a-z0-9_.-]{0,31})$/i.exec(place)?.[1];
  if (name === undefined) {
    throw invalid(
      `"${place}" is no switch; it reads switch:NAME, with a name of up to 32 letters, digits, _ . or -`,
    );
  }
  if (forwards.length > 0) throw invalid('a switch forwards no ports; -p needs --net user');
  let mac: Uint8Array<ArrayBuffer> | undefined;
  for (const setting of settings) {
    const address = /^mac=(.*)$/.exec(setting)?.[1];
    if (address === undefined) {
      throw invalid(`--net switch has no setting "${setting}"; it has mac=`);
    }
    mac = parseMac(address);
    if (mac === undefined) {
      throw invalid(`"${address}" is no address of a network card, like 52:54:00:12:34:56`);
    }
  }
  return { kind: 'switch', switch: { name, mac } };
}

function invalid(message: string): VivariumError {
  return new VivariumError('option-invalid', message);
}
