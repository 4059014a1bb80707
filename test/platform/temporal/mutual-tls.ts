import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];

/** Creates NAME.key and NAME.pem in the folder: those of an authority, or a pair that the authority `by` has issued for `temporal.test`. */
export function makeCertificate({
  folder,
  name,
  by,
}: {
  readonly folder: string;
  readonly name: string;
  readonly by?: string;
}): void {
  const issued = by
    ? ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-addext', 'basicConstraints=critical,CA:FALSE']
    : ['-addext', 'keyUsage=critical,keyCertSign'];
  const about = by ? ['-addext', 'subjectAltName=DNS:temporal.test'] : [];
  const out = ['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`];
  execFileSync('openssl', ['req', '-x509', ...newKey, ...issued, ...about, ...out], { cwd: folder, stdio: 'pipe' });
}

export interface TlsDoor {
  readonly address: string;
  /** From now on accepts certificates of this authority only, and closes existing connections. */
  believe(authority: string): void;
  close(): void;
}

/**
 * Stands in front of a real Temporal: accepts clients that show a certificate of the currently trusted authority, and forwards the bytes. The folder contains
 * `server` and the authorities.
 */
export async function openTlsDoor(options: {
  readonly folder: string;
  readonly authority: string;
  readonly temporalAddress: string;
}): Promise<TlsDoor> {
  const { folder, authority: first, temporalAddress } = options;
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const files = (authority: string) => ({ key: file('server.key'), cert: file('server.pem'), ca: file(`${authority}.pem`) });
  const [host = '', port = ''] = temporalAddress.split(':');
  const open = new Set<TLSSocket>();
  const demands = { requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
  const server = createServer({ ...files(first), ...demands }, (socket) => {
    open.add(socket);
    const behind = connect(Number(port), host);
    socket.pipe(behind).pipe(socket);
    const close = (): void => {
      open.delete(socket);
      socket.destroy();
      behind.destroy();
    };
    for (const one of [socket, behind]) one.on('error', close);
    socket.on('close', close);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const putOut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    believe: (authority) => {
      server.setSecureContext(files(authority));
      putOut();
    },
    close: () => {
      server.close();
      putOut();
    },
  };
}
