import { type Bundle, bundleFromJSON, isBundleWithPublicKey } from '@sigstore/bundle';
import { type SignedEntity, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify';
import { claimOf } from './claim.ts';
import type { Material } from './material.ts';
import { keyText, materialOfKey, type SignatureTrust } from './trust.ts';

/** The result of checking one signature. */
export type SignatureFinding =
  | { readonly kind: 'trusted'; readonly by: string; readonly type: string }
  /** It is invalid, about something else, or by a signer who is not trusted. */
  | { readonly kind: 'rejected'; readonly why: string }
  | { readonly kind: 'unreadable'; readonly why: string };

const unsupported = /^unsupported (kind|intoto version|dsse version|hashedrekord version|version)/;

/**
 * Checks one signature about a digest against the trusted signers, only with the given data: no call is made.
 *
 * With a key: the signature must be valid and, if there is a root, a log of the root must have accepted exactly this signature. Without a root no log is
 * checked. Keyless: the certificate leads to an authority of the root, was valid at a time that a log or a timestamp authority of the root vouches for, was
 * itself accepted by a certificate log of the root (if it has one), and names exactly a trusted identity and issuer; the signature must be valid; and the log
 * must have accepted it, if the root has one. In both cases, the signed content must name this digest.
 */
export function verifyMaterial(
  material: Material,
  { digest, trust }: { readonly digest: string; readonly trust: SignatureTrust },
): SignatureFinding {
  if (material.kind === 'unreadable') return material;
  let bundle: Bundle;
  let entity: SignedEntity;
  try {
    bundle = bundleFromJSON(material.bundle);
    entity = toSignedEntity(bundle, material.payload);
  } catch {
    return { kind: 'unreadable', why: 'it is not in a known bundle format' };
  }
  const claim = claimOf(bundle, material.payload);
  if (claim.kind === 'unreadable') return claim;
  if (!claim.digests.includes(digest)) return { kind: 'rejected', why: 'it is about another digest' };
  const signer = isBundleWithPublicKey(bundle) ? byKey(entity, trust) : byCertificate(entity, trust);
  return signer.kind === 'trusted' ? { ...signer, type: claim.type } : signer;
}

type Signer = { readonly kind: 'trusted'; readonly by: string } | Exclude<SignatureFinding, { readonly kind: 'trusted' }>;

function byKey(entity: SignedEntity, { keys, root }: SignatureTrust): Signer {
  if (keys.length === 0) return { kind: 'rejected', why: 'it is signed with a key, but no key is trusted here' };
  const log = root !== undefined && root.tlogs.length > 0;
  const looked = log ? entity : withoutLog(entity);
  const options = { ctlogThreshold: 0, tlogThreshold: log ? 1 : 0, timestampThreshold: 0 };
  const failures: Signer[] = [];
  for (const key of keys) {
    try {
      new Verifier(materialOfKey(key, root), options).verify(looked);
      return { kind: 'trusted', by: keyText(key) };
    } catch (error) {
      failures.push(failureOf(error, 'it was not made with a trusted key'));
    }
  }
  return failures.find(({ kind }) => kind === 'unreadable') ?? failures[0] ?? { kind: 'rejected', why: 'no key is trusted here' };
}

function byCertificate(entity: SignedEntity, { keyless, root }: SignatureTrust): Signer {
  if (!root || keyless.length === 0)
    return { kind: 'rejected', why: 'it is signed with a certificate, but no identity is trusted here' };
  const log = root.tlogs.length > 0;
  try {
    const { identity } = new Verifier(root, {
      ctlogThreshold: root.ctlogs.length > 0 ? 1 : 0,
      tlogThreshold: log ? 1 : 0,
      // An expired certificate is normal here: it must have been valid when a third party saw the signature.
      timestampThreshold: 1,
    }).verify(log ? entity : withoutLog(entity));
    const name = identity?.subjectAlternativeName ?? '';
    const issuer = identity?.extensions?.issuer ?? '';
    if (!keyless.some((trusted) => trusted.issuer === issuer && isNamed(trusted.identity, name)))
      return { kind: 'rejected', why: `${oneLine(name)} (${oneLine(issuer)}) is not trusted here` };
    return { kind: 'trusted', by: `${oneLine(name)} (${oneLine(issuer)})` };
  } catch (error) {
    return failureOf(error, 'it was not made with the key of its certificate');
  }
}

/** If no log is trusted, a log entry proves nothing: neither that the signature was there, nor when. */
function withoutLog(entity: SignedEntity): SignedEntity {
  return {
    ...entity,
    tlogEntries: [],
    timestamps: entity.timestamps.filter(({ $case }) => $case === 'timestamp-authority'),
  };
}

/** A trailing `*` stands for any text. */
function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

function failureOf(error: unknown, signatureWrong: string): Signer {
  if (!(error instanceof VerificationError)) return { kind: 'unreadable', why: 'it cannot be checked' };
  // The library has no error code of its own for unsupported forms.
  if (error.code === 'NOT_IMPLEMENTED_ERROR' || (error.code === 'TLOG_BODY_ERROR' && unsupported.test(error.message)))
    return { kind: 'unreadable', why: 'the log holds it in an unknown format' };
  if (error.code === 'SIGNATURE_ERROR') return { kind: 'rejected', why: signatureWrong };
  return { kind: 'rejected', why: oneLine(error.message) };
}

/** It is the attacker's text, and people read it. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
