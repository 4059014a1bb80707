import { createHmac, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { FirebreakError } from '../../core/errors.ts';
import { openStream } from './sealed-stream.ts';

const keyBytes = 32;

/** The recipient: its public half goes to the sender, and the private one never leaves this process. */
export interface Reader {
  /** X25519, base64. */
  readonly publicKey: string;
  /** Opens what `firebreak-tools send` wrote for this reader. @throws FB_ERR_SEAL_BROKEN if it is for another reader, or was changed. */
  open(sent: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

/** A reader for one file. See `deploy/forensics/tools/send.go`. */
export function newReader(): Reader {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const own = rawKey(publicKey.export({ format: 'jwk' }).x);
  return {
    publicKey: own.toString('base64'),
    async *open(sent) {
      const parts = sent[Symbol.asyncIterator]();
      let head = Buffer.alloc(0);
      while (head.length < keyBytes) {
        const { value, done } = await parts.next();
        if (done) throw new FirebreakError('FB_ERR_SEAL_BROKEN', 'the sent data ended before its content began');
        head = Buffer.concat([head, value]);
      }
      const sender = head.subarray(0, keyBytes);
      const theirs = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: sender.toString('base64url') }, format: 'jwk' });
      const shared = diffieHellman({ privateKey, publicKey: theirs });
      const key = createHmac('sha256', shared).update('firebreak.send.v1\n').update(sender).update(own).digest();
      const rest = (async function* (): AsyncGenerator<Uint8Array> {
        yield head.subarray(keyBytes);
        yield* { [Symbol.asyncIterator]: () => parts };
      })();
      yield* openStream(rest, key);
    },
  };
}

function rawKey(x: string | undefined): Buffer {
  return Buffer.from(x ?? '', 'base64url');
}
