import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

interface OwnCertificate {
  /** Both in PEM. */
  readonly certificate: string;
  readonly key: string;
  /** SHA-256 of the certificate's bytes (DER), in hex: clients recognise the certificate by it. */
  readonly sha256: string;
}

/**
 * Creates a self-signed certificate and its key; neither is stored. For clients that are given its hash, so it does not say who it is for.
 * https://www.rfc-editor.org/rfc/rfc5280#section-4.1, ECDSA with SHA-256 on P-256.
 */
export function makeOwnCertificate({ now = new Date() }: { readonly now?: Date } = {}): OwnCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(objectId(commonName), element(0x0c, Buffer.from('firebreak uploads')))));
  const day = 24 * 3_600_000;
  const body = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    // Positive, and never shortened: its first byte is 1.
    element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(new Date(now.getTime() - day)), time(new Date(now.getTime() + 365 * day))),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
  );
  const signature = sign('sha256', body, privateKey);
  const whole = sequence(body, algorithm, element(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    sha256: createHash('sha256').update(whole).digest('hex'),
  };
}

/** DER, as far as needed here: https://www.itu.int/rec/T-REC-X.690 */
function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function set(...parts: readonly Buffer[]): Buffer {
  return element(0x31, Buffer.concat(parts));
}

function objectId(bytes: readonly number[]): Buffer {
  return element(0x06, Buffer.from(bytes));
}

/** UTCTime, which covers the years until 2049: `261125152741Z`. */
function time(at: Date): Buffer {
  return element(0x17, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
}

/** 2.5.4.3 */
const commonName = [0x55, 0x04, 0x03];
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const algorithm = sequence(objectId([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
