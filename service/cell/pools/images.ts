import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { ImageTrust } from '../../../activities/actions/verify-image.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { whyNoKey, whyNoRoot } from '../../../integrations/cosign/trust.ts';
import type { Config } from '../../config/load.ts';

/**
 * Reads the keys, roots and authorities that the configuration names for images.
 * @throws FB_ERR_CONFIG_INVALID naming the first file that is invalid.
 */
export function readImageTrust({ trust, registries, timeoutSeconds }: Config['images']): ImageTrust {
  return {
    withinMs: timeoutSeconds * 1_000,
    rules: trust.map(({ keys, trustedRoot, ...rule }, index) => ({
      ...rule,
      keys: keys.map((file, place) => ({
        name: basename(file),
        pem: textOf(`images.trust[${index}].keys[${place}]`, file, whyNoKey),
      })),
      ...(trustedRoot !== undefined && { trustedRoot: textOf(`images.trust[${index}].trustedRoot`, trustedRoot, whyNoRoot) }),
    })),
    registries: registries.map(({ host, caFile, plainHttp }, index) => ({
      host,
      plainHttp,
      ...(caFile !== undefined && { ca: textOf(`images.registries[${index}].caFile`, caFile, whyNoCertificate) }),
    })),
  };
}

function whyNoCertificate(text: string): string | undefined {
  return text.includes('-----BEGIN CERTIFICATE-----') ? undefined : 'not a certificate in PEM';
}

function textOf(path: string, file: string, whyNot: (text: string) => string | undefined): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: the file ${file} cannot be read`);
  }
  const why = whyNot(text);
  if (why !== undefined) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: ${file} is ${why}`);
  return text;
}
