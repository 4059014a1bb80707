import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** A server that presents a certificate. */
export interface TlsServer {
  readonly host: string;
  readonly port: number;
  /** The name that its certificate is for, if it differs from the host. */
  readonly serverName?: string | undefined;
  readonly ca?: string | undefined;
  /** Our client certificate, which it may request. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** PostgreSQL has its own way to request TLS. */
  readonly isPostgres?: boolean;
}

/** https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL */
const postgresSslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const yes = 'S'.charCodeAt(0);

/**
 * Returns the certificate that a server presents and its issuers, as far as they are known; undefined if no server answers with one. Users of the connection
 * decide whether to trust it: here it is only read, and nothing is sent afterwards.
 */
export async function servedChain(server: TlsServer, signal: AbortSignal): Promise<readonly X509Certificate[] | undefined> {
  const { host, port, serverName = isIP(host) ? undefined : host, ca, cert, key, isPostgres } = server;
  let socket: Socket | undefined;
  try {
    const plain = connectTcp({ host, port });
    socket = plain;
    // The awaited event reports what went wrong; later errors must not end the process.
    plain.on('error', () => {});
    await once(plain, 'connect', { signal });
    if (isPostgres) {
      plain.write(postgresSslRequest);
      const [answer]: Buffer[] = await once(plain, 'data', { signal });
      if (answer?.[0] !== yes) return undefined;
    }
    const secure = connectTls({
      socket: plain,
      // Temporal's gRPC needs h2; servers that only speak HTTP/1.1 accept only that. PostgreSQL has its own protocol name.
      ALPNProtocols: isPostgres ? ['postgresql'] : ['h2', 'http/1.1'],
      rejectUnauthorized: false,
      ...(serverName !== undefined && { servername: serverName }),
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
    });
    socket = secure;
    secure.on('error', () => {});
    await once(secure, 'secureConnect', { signal });
    return chainOf(secure);
  } catch {
    return undefined;
  } finally {
    socket?.destroy();
  }
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] | undefined {
  const chain: X509Certificate[] = [];
  const known = new Set<string>();
  for (let one = socket.getPeerX509Certificate(); one && !known.has(one.fingerprint256); one = one.issuerCertificate) {
    known.add(one.fingerprint256);
    chain.push(one);
  }
  return chain.length > 0 ? chain : undefined;
}
