import { type Bundle, isBundleWithDsseEnvelope } from '@sigstore/bundle';
import { z } from 'zod';

/** The content of a signature, if it is valid: the digests it covers, and the type of its statement. The signer is not checked here; see `verifyMaterial`. */
type SignatureClaim =
  | { readonly kind: 'claim'; readonly type: string; readonly digests: readonly string[] }
  | { readonly kind: 'unreadable'; readonly why: string };

/** Statement type of cosign's image signatures. Both of its formats mean the same. */
export const signatureType = 'https://sigstore.dev/cosign/sign/v1';

/** https://github.com/containers/image/blob/main/docs/containers-signature.5.md */
const simpleSigning = z.object({
  critical: z.object({ image: z.object({ 'docker-manifest-digest': z.string() }), type: z.string() }),
});
/** https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
const statement = z.object({
  _type: z.string().startsWith('https://in-toto.io/Statement/'),
  predicateType: z.string().max(500),
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })).max(1_000),
});

export function claimOf(bundle: Bundle, payload: Buffer | undefined): SignatureClaim {
  if (payload !== undefined) {
    const parsed = simpleSigning.safeParse(jsonOf(payload));
    return parsed.success
      ? { kind: 'claim', type: signatureType, digests: [parsed.data.critical.image['docker-manifest-digest']] }
      : { kind: 'unreadable', why: 'its payload is not in cosign’s format' };
  }
  if (!isBundleWithDsseEnvelope(bundle)) return { kind: 'unreadable', why: 'it does not contain its payload' };
  const { payloadType, payload: signed } = bundle.content.dsseEnvelope;
  const parsed = statement.safeParse(payloadType === 'application/vnd.in-toto+json' ? jsonOf(signed) : undefined);
  if (!parsed.success) return { kind: 'unreadable', why: 'its payload is not an in-toto statement' };
  const { subject, predicateType } = parsed.data;
  return {
    kind: 'claim',
    type: predicateType,
    digests: subject.flatMap(({ digest: { sha256 } }) => (sha256 === undefined ? [] : [`sha256:${sha256}`])),
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
