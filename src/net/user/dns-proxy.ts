/**
 * Answers DNS queries of the guest: names of the host by itself, the rest by the host's name servers, as far as the
 * policy lets the guest know names.
 */
import { familyOf, isLoopback } from '../address.ts';
import {
  buildAddresses,
  buildFailure,
  DNS_HEADER_BYTES,
  DNS_NAME_ERROR,
  DNS_REFUSED,
  DNS_SERVER_FAILURE,
  DNS_TYPE_A,
  DNS_TYPE_AAAA,
  type DnsQuestion,
  parseAddresses,
  parseQuestion,
} from '../wire/dns.ts';
import type { HostSockets } from './host.ts';
import { HOST_NAMES, PLAN } from './plan.ts';
import type { Policy } from './policy.ts';

/** Queries under way; more are dropped, and the guest asks again. */
const MAX_QUERIES = 256;
const HOST_NAME_SECONDS = 3600;
const HOST_FILE_SECONDS = 10;

export class DnsProxy {
  readonly #host: Pick<HostSockets, 'hostNames' | 'resolve'>;
  readonly #policy: Policy;
  #underWay = 0;

  constructor(host: Pick<HostSockets, 'hostNames' | 'resolve'>, policy: Policy) {
    this.#host = host;
    this.#policy = policy;
  }

  /** Calls `reply` with the response to `query`, now or later. What is no query gets none. */
  answer(query: Uint8Array, reply: (response: Uint8Array) => void): void {
    const question = parseQuestion(query);
    if (question === undefined) {
      if (query.length >= DNS_HEADER_BYTES && !((query[2] as number) & 0x80)) {
        reply(buildFailure(query, DNS_HEADER_BYTES, DNS_REFUSED));
      }
      return;
    }
    const { name, type, end } = question;
    if (HOST_NAMES.includes(name)) {
      const family = type === DNS_TYPE_A ? 4 : type === DNS_TYPE_AAAA ? 6 : undefined;
      const addresses = family === undefined ? [] : [PLAN[family].gateway];
      reply(buildAddresses(query, question, addresses, HOST_NAME_SECONDS));
      return;
    }
    if (name === 'localhost' || name.endsWith('.localhost')) {
      reply(buildFailure(query, end, DNS_NAME_ERROR)); // the guest means itself. RFC 6761
      return;
    }
    if (!this.#policy.allowsName(name)) {
      reply(buildFailure(query, end, DNS_REFUSED));
      return;
    }
    if (this.#underWay >= MAX_QUERIES) return;
    this.#underWay++;
    const own = query.slice();
    this.#resolve(own, question)
      .catch(() => undefined)
      .then((response) => {
        this.#underWay--;
        if (response === undefined) {
          reply(buildFailure(own, end, DNS_SERVER_FAILURE));
          return;
        }
        for (const { address, seconds } of parseAddresses(response)) {
          this.#policy.learn(name, address, seconds);
        }
        reply(response);
      });
  }

  async #resolve(query: Uint8Array, question: DnsQuestion): Promise<Uint8Array | undefined> {
    const { name, type } = question;
    if (type === DNS_TYPE_A || type === DNS_TYPE_AAAA) {
      const known = await this.#host.hostNames(name);
      if (known.length > 0) {
        const family = type === DNS_TYPE_A ? 4 : 6;
        const addresses = known.filter((address) => familyOf(address) === family);
        // What is the host's loopback to the host is the gateway to the guest.
        const seen = addresses.map((each) => (isLoopback(each) ? PLAN[family].gateway : each));
        return buildAddresses(query, question, [...new Set(seen)], HOST_FILE_SECONDS);
      }
    }
    return await this.#host.resolve(query);
  }
}
