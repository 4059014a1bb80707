import { readFileSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { FirebreakError } from '../../../core/errors.ts';
import { GuardedConnections, serverLimits } from '../../../integrations/guarded-connections.ts';
import type { IntakeLog } from '../log.ts';

export interface TlsFiles {
  /** PEM, the server's certificate first, then what signed it. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM of the authorities whose client certificates are believed. */
  readonly clientCaFile?: string | undefined;
  /** No handshake without a certificate: then tokens alone open nothing. */
  readonly requireClientCertificate?: boolean | undefined;
  /** How often the files are looked at, 5 s if not said. */
  readonly lookEveryMs?: number | undefined;
}

const mostHeaders = 64;

/** The listening server, with bounds that make slow and greedy clients cheap; over TLS when there are files for it. */
export interface Listener {
  readonly server: Server;
  readonly connections: GuardedConnections;
  /** Ends the watch over the certificate's files. */
  stop(): void;
}

/** @throws FB_ERR_CONFIG_INVALID when the certificate's files cannot be used */
export function createListener({ tls, log }: { readonly tls?: TlsFiles | undefined; readonly log: IntakeLog }): Listener {
  if (tls === undefined) return { ...guarded(createHttp(serverLimits)), stop: () => {} };
  const first = read(tls);
  const server = createHttps({
    ...serverLimits,
    ...first.context,
    handshakeTimeout: 5_000,
    minVersion: 'TLSv1.2',
    requestCert: tls.clientCaFile !== undefined,
    // Without a certificate a sender still has its token, unless the configuration asks for one.
    rejectUnauthorized: tls.requireClientCertificate === true,
  });
  let known = first.text;
  const look = setInterval(() => {
    try {
      const { text, context } = read(tls);
      if (text === known) return;
      // Connections that are open go on; new ones get the new certificate.
      server.setSecureContext({ ...context, minVersion: 'TLSv1.2' });
      known = text;
      log.info({}, 'reloaded the TLS certificate');
    } catch {
      log.error({}, 'cannot read the TLS certificate; the previous one stays in use');
    }
  }, tls.lookEveryMs ?? 5_000).unref();
  return { ...guarded(server), stop: () => clearInterval(look) };
}

function guarded(server: Server): Pick<Listener, 'server' | 'connections'> {
  server.maxHeadersCount = mostHeaders;
  return { server, connections: new GuardedConnections(server) };
}

function read({ certFile, keyFile, clientCaFile }: TlsFiles): { readonly text: string; readonly context: SecureContextOptions } {
  try {
    const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
    const ca = clientCaFile === undefined ? undefined : readFileSync(clientCaFile, 'utf8');
    const context = { cert, key, ...(ca !== undefined && { ca }) };
    // Throws where key and certificate do not belong together.
    createSecureContext(context);
    return { text: [cert, key, ca ?? ''].join('\n'), context };
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the files of intake.tls cannot be read, or do not belong together');
  }
}
