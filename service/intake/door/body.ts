import { promisify } from 'node:util';
import { constants, gunzip, inflate, inflateRaw } from 'node:zlib';
import { ConcurrencyLimiter } from '../../../activities/concurrency-limiter.ts';
import { systemErrorCode } from '../../../core/system-error.ts';
import { largestBody } from '../read/parse.ts';

type UnpackedBody =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly reason: string };

const unpackers = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  rawDeflate: promisify(inflateRaw),
} as const;

/** Repetitive alerts compress to about a thirtieth; a body beyond this ratio was built to be large. */
const largestRatio = 200;
const alwaysAllowed = 1024 * 1024;
/** Each may need the memory of the largest body. */
const unpacking = new ConcurrencyLimiter(4);

/** Decodes the content encoding, never beyond the size allowed for a body, nor beyond a plausible compression ratio. */
export async function unpackBody(bytes: Uint8Array, encoding: string | undefined): Promise<UnpackedBody> {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return { ok: true, bytes };
  if (name !== 'gzip' && name !== 'x-gzip' && name !== 'deflate') {
    return { ok: false, status: 415, reason: 'only the content encodings gzip and deflate are supported' };
  }
  try {
    const maxOutputLength = Math.min(largestBody, Math.max(alwaysAllowed, bytes.length * largestRatio));
    const unpack = (): Promise<Uint8Array> =>
      unpackers[formatOf(name, bytes)](bytes, { maxOutputLength, finishFlush: constants.Z_FINISH });
    return { ok: true, bytes: await unpacking.run(unpack) };
  } catch (error) {
    const tooLarge = systemErrorCode(error) === 'ERR_BUFFER_TOO_LARGE';
    return tooLarge
      ? {
          ok: false,
          status: 413,
          reason: `a body may have at most ${largestBody} bytes unpacked, and ${largestRatio} times its packed size`,
        }
      : { ok: false, status: 400, reason: `the body is not ${name}` };
  }
}

/** "deflate" is the zlib format (RFC 9110), but some senders omit its two header bytes: RFC 1950 says how to recognise them. */
function formatOf(name: 'gzip' | 'x-gzip' | 'deflate', [first = 0, second = 0]: Uint8Array): keyof typeof unpackers {
  const isZlib = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  return name === 'deflate' && !isZlib ? 'rawDeflate' : name;
}
