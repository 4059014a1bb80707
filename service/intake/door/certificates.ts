import type { PeerCertificate, TLSSocket } from 'node:tls';

/** Maps client certificates to a sender. */
export interface CertificateClient {
  readonly name: string;
  /** The common name, or a DNS or URI name of the certificate; one `*` stands for any text. */
  readonly subject: string;
  /** The text matched by `*` is the one node that this sender sees. */
  readonly bindNode: boolean;
}

interface CertifiedSender {
  readonly name: string;
  readonly node?: string;
}

/** Identifies the sender by a connection's certificate, if the TLS handshake has verified it. */
export class CertificateSenders {
  readonly #clients: readonly CertificateClient[];
  readonly #known = new WeakMap<TLSSocket, CertifiedSender | 'nobody'>();

  constructor(clients: readonly CertificateClient[]) {
    this.#clients = clients;
  }

  of(socket: TLSSocket): CertifiedSender | undefined {
    const known = this.#known.get(socket);
    if (known !== undefined) return known === 'nobody' ? undefined : known;
    const sender = socket.authorized ? this.#match(socket.getPeerCertificate()) : undefined;
    this.#known.set(socket, sender ?? 'nobody');
    return sender;
  }

  #match(certificate: PeerCertificate): CertifiedSender | undefined {
    const names = namesOf(certificate);
    for (const { name, subject, bindNode } of this.#clients) {
      for (const candidate of names) {
        const stood = matched(subject, candidate);
        if (stood === undefined) continue;
        return bindNode ? { name, node: stood } : { name };
      }
    }
    return undefined;
  }
}

/** Alternative names first: only older certificates rely on the common name. */
function namesOf({ subject, subjectaltname }: PeerCertificate): readonly string[] {
  const alternatives = (subjectaltname ?? '').split(', ').flatMap((entry) => /^(?:DNS|URI):([^"]+)$/.exec(entry)?.[1] ?? []);
  const common: unknown = subject?.CN;
  return [...alternatives, ...(typeof common === 'string' ? [common] : [])];
}

/** The text matched by `*`, empty without one; undefined if the name does not match. */
function matched(pattern: string, name: string): string | undefined {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === name ? '' : undefined;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  if (name.length <= before.length + after.length || !name.startsWith(before) || !name.endsWith(after)) return undefined;
  const stood = name.slice(before.length, name.length - after.length);
  // A node's name may contain dots; a slash would be another level of a URI.
  return stood.includes('/') ? undefined : stood;
}
