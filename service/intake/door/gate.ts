import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FirebreakError } from '../../../core/errors.ts';
import { type AlertSender, type SenderRule, Senders } from '../read/sender.ts';
import { type IntakeToken, secretOfHeader, senderByToken } from './auth.ts';
import { type CertificateClient, CertificateSenders } from './certificates.ts';
import { type SignatureHeaders, Signatures, type Signed, type SigningSecret } from './signature.ts';

interface GateOptions {
  readonly tokens: readonly IntakeToken[];
  readonly signatures?: readonly SigningSecret[] | undefined;
  readonly certificates?: readonly CertificateClient[] | undefined;
  /** Refuses anyone without a known sender's certificate. */
  readonly certificateRequired?: boolean | undefined;
  readonly rules?: readonly SenderRule[] | undefined;
}

interface AccessRequest {
  readonly socket: Socket;
  readonly headers: IncomingHttpHeaders;
  /** The last part of a secret path. */
  readonly pathToken?: string | undefined;
}

export type Admission =
  | { readonly kind: 'sender'; readonly sender: AlertSender }
  /** Signed: the sender is known only once the body is read. */
  | { readonly kind: 'signed'; readonly headers: SignatureHeaders }
  | { readonly kind: 'refused'; readonly reason: string };

const askForToken = 'a token is needed: Authorization Bearer, the password of Basic, or the last part of the path';

/** Identifies senders: by client certificate, otherwise by the body's signature, otherwise by token. */
export class Gate {
  readonly senders: Senders;
  readonly #byToken: ((secret: string | undefined) => string | undefined) | undefined;
  readonly #signatures: Signatures;
  readonly #certificates: CertificateSenders;
  readonly #certificateRequired: boolean;

  /** @throws FB_ERR_CONFIG_INVALID if nobody could be admitted, or a secret is empty */
  constructor({ tokens, signatures = [], certificates = [], certificateRequired = false, rules = [] }: GateOptions) {
    if (signatures.some(({ secret }) => secret === '')) {
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'no secret of intake.signatures may be empty');
    }
    const others = signatures.length + certificates.length > 0;
    this.#byToken = tokens.length === 0 && others ? undefined : senderByToken(tokens);
    this.#signatures = new Signatures(signatures);
    this.#certificates = new CertificateSenders(certificates);
    this.#certificateRequired = certificateRequired;
    this.senders = new Senders(rules);
  }

  /** Before the body is read, so that a stranger costs nothing. */
  admit({ socket, headers, pathToken }: AccessRequest): Admission {
    const certified = socket instanceof TLSSocket ? this.#certificates.of(socket) : undefined;
    if (certified !== undefined) return { kind: 'sender', sender: this.senders.of(certified.name, certified.node) };
    if (this.#certificateRequired) return { kind: 'refused', reason: 'the client certificate does not belong to a known sender' };
    const signature = single(headers['x-firebreak-signature']);
    if (signature !== undefined && !this.#signatures.isEmpty) {
      const given = { signature, timestamp: single(headers['x-firebreak-timestamp']) };
      const reason = this.#signatures.preliminary(given);
      return reason === undefined ? { kind: 'signed', headers: given } : { kind: 'refused', reason };
    }
    const name = this.#byToken?.(pathToken ?? secretOfHeader(headers.authorization));
    return name === undefined ? { kind: 'refused', reason: askForToken } : { kind: 'sender', sender: this.senders.of(name) };
  }

  verify(bytes: Uint8Array, headers: SignatureHeaders): Signed {
    return this.#signatures.verify(bytes, headers);
  }
}

function single(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
