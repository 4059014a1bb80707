import { createHash } from 'node:crypto';
import type { Descriptor } from '../../core/cluster/image-registry.ts';
import type { Material } from './material.ts';

/**
 * Cosign's format up to version 2: the layers of an image under the tag `sha256-….sig` or `.att`, with everything else in annotations.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 */
export const oldTypes = {
  signature: 'application/vnd.dev.cosign.simplesigning.v1+json',
  attestation: 'application/vnd.dsse.envelope.v1+json',
} as const;

const names = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  log: 'dev.sigstore.cosign/bundle',
} as const;

/** The annotation with the log's answer when it accepted the signature. */
interface LogEntry {
  readonly SignedEntryTimestamp: string;
  readonly Payload: {
    readonly body: string;
    readonly integratedTime: number;
    readonly logIndex: number;
    readonly logID: string;
  };
}

/** Converts one such layer to a bundle of version 0.1. */
export function materialOfLayer(layer: Descriptor, content: Buffer): Material {
  const { annotations = {} } = layer;
  try {
    const verificationMaterial = { ...keyOf(annotations[names.certificate]), ...logOf(annotations[names.log]) };
    const mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
    if (layer.mediaType === oldTypes.attestation)
      return { kind: 'bundle', bundle: { mediaType, verificationMaterial, dsseEnvelope: JSON.parse(content.toString('utf8')) } };
    const messageSignature = {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(content).digest('base64') },
      signature: annotations[names.signature],
    };
    return { kind: 'bundle', bundle: { mediaType, verificationMaterial, messageSignature }, payload: content };
  } catch {
    return { kind: 'unreadable', why: 'its annotations or its content are not in cosign’s format' };
  }
}

function keyOf(certificate: string | undefined): object {
  if (certificate === undefined || certificate === '') return { publicKey: { hint: '' } };
  const rawBytes = certificate.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s/g, '');
  return { x509CertificateChain: { certificates: [{ rawBytes }] } };
}

function logOf(annotation: string | undefined): object {
  if (annotation === undefined || annotation === '') return { tlogEntries: [] };
  const { SignedEntryTimestamp, Payload }: LogEntry = JSON.parse(annotation);
  const { kind, apiVersion }: { kind: string; apiVersion: string } = JSON.parse(
    Buffer.from(Payload.body, 'base64').toString('utf8'),
  );
  return {
    tlogEntries: [
      {
        logIndex: String(Payload.logIndex),
        logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
        kindVersion: { kind, version: apiVersion },
        integratedTime: String(Payload.integratedTime),
        inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
        canonicalizedBody: Payload.body,
      },
    ],
  };
}
