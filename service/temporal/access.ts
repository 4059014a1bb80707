import type { TemporalAccess } from '../config/temporal-access.ts';

/** As the SDK's connections take it, both kinds. */
export function connectionOptions(address: string, { tls, apiKey }: TemporalAccess) {
  const { ca, cert, key, serverName } = tls ?? {};
  return {
    address,
    ...(tls && {
      tls: {
        ...(serverName !== undefined && { serverNameOverride: serverName }),
        ...(ca !== undefined && { serverRootCACertificate: Buffer.from(ca) }),
        ...(cert !== undefined && key !== undefined && { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } }),
      },
    }),
    ...(apiKey !== undefined && { apiKey }),
  };
}
