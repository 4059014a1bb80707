import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

/** A secret with which a sender signs its bodies. */
export interface SigningSecret {
  readonly name: string;
  readonly secret: string;
}

const windowMs = 300_000;
/** Beyond this the oldest are forgotten: a replay is then a duplicate, which the ledger recognises. */
const mostRemembered = 300_000;
const signatureHeader = /^v1=([0-9a-f]{64})$/i;

/** The headers of a signed request: `X-Firebreak-Timestamp` (seconds since 1970) and `X-Firebreak-Signature` (`v1=` and hex). */
export interface SignatureHeaders {
  readonly signature: string | undefined;
  readonly timestamp: string | undefined;
}

export type Signed =
  | {
      readonly ok: true;
      readonly name: string /** It was not taken: the same signature may come again. */;
      readonly release: () => void;
    }
  | { readonly ok: false; readonly reason: string };

/**
 * Verifies bodies signed with HMAC-SHA256 over `v1:TIMESTAMP:` and the bytes as sent. A timestamp may be at most five minutes old or early, and each signature
 * is accepted once. Several secrets may share a name during rotation.
 */
export class Signatures {
  /** Imported once: importing a key for each request took longer than checking its signature. */
  readonly #secrets: readonly { readonly name: string; readonly key: KeyObject }[];
  readonly #now: () => number;
  /** Signature → time at which it is forgotten, oldest first. */
  readonly #used = new Map<string, number>();

  constructor(secrets: readonly SigningSecret[], now: () => number = Date.now) {
    this.#secrets = secrets.map(({ name, secret }) => ({ name, key: createSecretKey(secret, 'utf8') }));
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.#secrets.length === 0;
  }

  /** Returns what is already wrong before the body is read; undefined if the body is worth reading. */
  preliminary({ signature, timestamp }: SignatureHeaders): string | undefined {
    if (!signatureHeader.test(signature ?? '')) return 'X-Firebreak-Signature is not of the form v1=hex';
    if (!/^\d{1,12}$/.test(timestamp ?? '')) return 'X-Firebreak-Timestamp is not a number of seconds';
    const age = this.#now() - Number(timestamp) * 1_000;
    return Math.abs(age) > windowMs ? 'the time of the signature is more than five minutes off' : undefined;
  }

  verify(bytes: Uint8Array, headers: SignatureHeaders): Signed {
    const wrong = this.preliminary(headers);
    if (wrong !== undefined) return { ok: false, reason: wrong };
    const given = Buffer.from(signatureHeader.exec(headers.signature ?? '')?.[1] ?? '', 'hex');
    let name: string | undefined;
    for (const candidate of this.#secrets) {
      const expected = createHmac('sha256', candidate.key).update(`v1:${headers.timestamp}:`).update(bytes).digest();
      if (timingSafeEqual(expected, given)) name = candidate.name;
    }
    if (name === undefined) return { ok: false, reason: 'no known secret made this signature' };
    const key = createHash('sha256').update(given).digest('base64').slice(0, 24);
    const now = this.#now();
    for (const [old, until] of this.#used) {
      if (until > now && this.#used.size < mostRemembered) break;
      this.#used.delete(old);
    }
    if (this.#used.has(key)) return { ok: false, reason: 'this signature was used before: sign again with the current time' };
    this.#used.set(key, Math.max(now, Number(headers.timestamp) * 1_000) + windowMs);
    return { ok: true, name, release: () => void this.#used.delete(key) };
  }
}
