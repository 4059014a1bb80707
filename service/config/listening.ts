import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';

const why: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already: stop it, or set another port',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this process may not listen there: ports below 1024 are for root',
  ENOTFOUND: 'there is no such host',
};

/** Opens a listener at the address in the configuration at `path`. @throws FB_ERR_CONFIG_INVALID with path, address and reason. */
export async function listening<Door>(
  path: string,
  { host, port }: { readonly host: string; readonly port: number },
  open: () => Promise<Door>,
): Promise<Door> {
  try {
    return await open();
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: ${host}:${port}: ${why[code] ?? code}`);
  }
}
