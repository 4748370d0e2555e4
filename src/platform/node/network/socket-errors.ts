import type { HostFailure } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';

const failures: Readonly<Record<string, HostFailure>> = {
  ECONNREFUSED: 'refused',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable', // no address of that family
  EAFNOSUPPORT: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};

/** What the network has to know of an error of a socket. */
export function failureOf(error: NodeJS.ErrnoException): HostFailure {
  return failures[error.code ?? ''] ?? 'failed';
}

/** The error, in one sentence, of a port that cannot be had. */
export function listenError(
  error: NodeJS.ErrnoException,
  protocol: 'TCP' | 'UDP',
  address: string,
  port: number,
): VivariumError {
  const place = `${protocol} port ${port} of ${address}`;
  const sentences: Readonly<Record<string, [code: string, sentence: string]>> = {
    EADDRINUSE: ['port-in-use', `${place} is in use already; choose another one for -p`],
    EACCES: ['port-not-allowed', `${place} is not allowed to this user; choose one above 1023`],
    EADDRNOTAVAIL: ['address-unknown', `${address} is no address of this host; leave it out of -p`],
  };
  const [code, sentence] = sentences[error.code ?? ''] ?? [
    'port-unavailable',
    `${place} cannot be opened: ${error.message}`,
  ];
  return new VivariumError(code, sentence, { cause: error });
}
