import { readFileSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { FirebreakError } from '../../../core/errors.ts';
import { GuardedConnections, serverLimits } from '../../../integrations/guarded-connections.ts';
import type { IntakeLog } from '../log.ts';

export interface TlsFiles {
  /** PEM, the server's certificate first, then its issuers. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM of the authorities whose client certificates are trusted. */
  readonly clientCaFile?: string | undefined;
  /** Rejects handshakes without a certificate: then a token alone is not enough. */
  readonly requireClientCertificate?: boolean | undefined;
  /** How often the files are checked, every 5 s by default. */
  readonly lookEveryMs?: number | undefined;
}

const mostHeaders = 64;

/** The listening server, with limits that make slow and greedy clients cheap; with TLS if files for it are given. */
export interface Listener {
  readonly server: Server;
  readonly connections: GuardedConnections;
  /** Stops watching the certificate's files. */
  stop(): void;
}

/** @throws FB_ERR_CONFIG_INVALID if the certificate's files cannot be used */
export function createListener({
  tls,
  headMs = serverLimits.headersTimeout,
  log,
}: {
  readonly tls?: TlsFiles | undefined;
  /** Milliseconds within which a request's line and headers must arrive. */
  readonly headMs?: number | undefined;
  readonly log: IntakeLog;
}): Listener {
  const limits = {
    ...serverLimits,
    headersTimeout: headMs,
    connectionsCheckingInterval: Math.min(serverLimits.connectionsCheckingInterval, headMs / 4),
  };
  if (tls === undefined) return { ...guarded(createHttp(limits)), stop: () => {} };
  const first = read(tls);
  const server = createHttps({
    ...limits,
    ...first.context,
    handshakeTimeout: 5_000,
    minVersion: 'TLSv1.2',
    requestCert: tls.clientCaFile !== undefined,
    // Without a certificate a sender can still use its token, unless the configuration requires a certificate.
    rejectUnauthorized: tls.requireClientCertificate === true,
  });
  let known = first.text;
  const look = setInterval(() => {
    try {
      const { text, context } = read(tls);
      if (text === known) return;
      // Open connections continue; new ones get the new certificate.
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
    // Throws if key and certificate do not match.
    createSecureContext(context);
    return { text: [cert, key, ca ?? ''].join('\n'), context };
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the files of intake.tls cannot be read, or do not belong together');
  }
}
