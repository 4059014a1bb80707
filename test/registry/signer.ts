import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { initializeCA, initializeCTLog } from '@sigstore/mock/dist/fulcio/index.js';
import { initializeTLog } from '@sigstore/mock/dist/rekor/index.js';

const simpleSigning = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const signStatement = 'https://sigstore.dev/cosign/sign/v1';

/** The answer of a log. */
interface LoggedEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logIndex: number;
  readonly logID: string;
  readonly verification: {
    readonly signedEntryTimestamp: string;
    readonly inclusionProof: { readonly rootHash: string; readonly treeSize: number; readonly checkpoint: string };
  };
}

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

/** Signs as cosign does with a key pair, according to its documented formats and without any of the code that reads them. */
export class KeySigner {
  readonly #key: KeyObject;
  readonly publicPem: string;

  constructor() {
    const { privateKey, publicKey } = newKey();
    this.#key = privateKey;
    this.publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }

  sign(bytes: Buffer): Buffer {
    return sign('sha256', bytes, this.#key);
  }

  /** A layer of the old format. */
  layer(digest: string) {
    const content = simpleSigningOf(digest);
    const annotations = { 'dev.cosignproject.cosign/signature': this.sign(content).toString('base64') };
    return { mediaType: simpleSigning, content, annotations };
  }

  bundle(digest: string, predicateType = signStatement): object {
    return {
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: {
        publicKey: { hint: createHash('sha256').update(this.publicPem).digest('base64') },
        tlogEntries: [],
      },
      dsseEnvelope: envelopeOf(statementOf(digest, predicateType), (bytes) => this.sign(bytes)),
    };
  }
}

function simpleSigningOf(digest: string): Buffer {
  const critical = {
    identity: { 'docker-reference': '' },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

export function statementOf(digest: string, predicateType: string): Buffer {
  const subject = [{ digest: { sha256: digest.replace('sha256:', '') } }];
  return Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate: {} }));
}

/** https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function envelopeOf(payload: Buffer, signing: (bytes: Buffer) => Buffer) {
  const payloadType = 'application/vnd.in-toto+json';
  const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]);
  return { payload: payload.toString('base64'), payloadType, signatures: [{ sig: signing(encoded).toString('base64') }] };
}

/** Opens a separate certificate authority, certificate log and transparency log (sigstore's own stand-ins), and a root that trusts them. */
export async function openSigstore(options: { readonly logIsAheadMs?: number } = {}) {
  const [ca, ct, log] = [newKey(), newKey(), newKey()];
  const ctLog = await initializeCTLog(ct);
  const authority = await initializeCA(ca, ctLog);
  const raw = (bytes: ArrayBufferView): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
  const validFor = { start: '2020-01-01T00:00:00Z' };
  const logOf = (key: KeyObject) => ({
    baseUrl: 'https://rekor.example.com',
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: spki(key).toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: createHash('sha256').update(spki(key)).digest('base64') },
  });
  const trustedRoot = JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf(log.publicKey)],
    certificateAuthorities: [
      {
        uri: 'https://fulcio.example.com',
        certChain: { certificates: [{ rawBytes: raw(authority.rootCertificate) }] },
        validFor,
      },
    ],
    ctlogs: [logOf(ct.publicKey)],
    timestampAuthorities: [],
  });

  /** A signer with a certificate of their own that is valid for the moment. */
  const identify = async (identity: string, issuer: string) => {
    const { privateKey, publicKey } = newKey();
    const certificate = await authority.issueCertificate({
      publicKey: new Uint8Array(spki(publicKey)),
      subjectAltName: identity,
      extensions: [{ oid: '1.3.6.1.4.1.57264.1.8', value: issuer }],
    });
    const signing = (bytes: Buffer): Buffer => sign('sha256', bytes, privateKey);
    const pem = `-----BEGIN CERTIFICATE-----\n${raw(certificate)}\n-----END CERTIFICATE-----\n`;
    // It counts in whole seconds, and must not get to a time before the certificate.
    const rekor = await initializeTLog(
      'https://rekor.example.com',
      log,
      new Date(Date.now() + 1_000 + (options.logIsAheadMs ?? 0)),
    );
    const logged = async (entry: object): Promise<LoggedEntry> => {
      const [made] = Object.values((await rekor.log(entry)) as unknown as Record<string, LoggedEntry>);
      if (!made) throw new Error('the log has taken nothing');
      return made;
    };
    return {
      signing,
      async layer(digest: string) {
        const content = simpleSigningOf(digest);
        const signature = signing(content).toString('base64');
        const hash = { algorithm: 'sha256', value: createHash('sha256').update(content).digest('hex') };
        const spec = {
          data: { hash },
          signature: { content: signature, publicKey: { content: Buffer.from(pem).toString('base64') } },
        };
        const entry = await logged({ apiVersion: '0.0.1', kind: 'hashedrekord', spec });
        const { body, integratedTime, logIndex, logID, verification } = entry;
        const annotations = {
          'dev.cosignproject.cosign/signature': signature,
          'dev.sigstore.cosign/certificate': pem,
          'dev.sigstore.cosign/bundle': JSON.stringify({
            SignedEntryTimestamp: verification.signedEntryTimestamp,
            Payload: { body, integratedTime, logIndex, logID },
          }),
        };
        return { mediaType: simpleSigning, content, annotations };
      },
      async bundle(digest: string, predicateType = signStatement) {
        const dsseEnvelope = envelopeOf(statementOf(digest, predicateType), signing);
        const [{ sig }] = dsseEnvelope.signatures as [{ sig: string }];
        const payloadHash = createHash('sha256').update(Buffer.from(dsseEnvelope.payload, 'base64')).digest('hex');
        const spec = {
          envelopeHash: { algorithm: 'sha256', value: '' },
          payloadHash: { algorithm: 'sha256', value: payloadHash },
          signatures: [{ signature: sig, verifier: Buffer.from(pem).toString('base64') }],
        };
        const entry = await logged({ apiVersion: '0.0.1', kind: 'dsse', spec });
        const proof = entry.verification.inclusionProof;
        return {
          mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
          verificationMaterial: {
            certificate: { rawBytes: raw(certificate) },
            tlogEntries: [
              {
                logIndex: String(entry.logIndex),
                logId: { keyId: Buffer.from(entry.logID, 'hex').toString('base64') },
                kindVersion: { kind: 'dsse', version: '0.0.1' },
                integratedTime: String(entry.integratedTime),
                inclusionPromise: { signedEntryTimestamp: entry.verification.signedEntryTimestamp },
                inclusionProof: {
                  logIndex: '0',
                  rootHash: Buffer.from(proof.rootHash, 'hex').toString('base64'),
                  treeSize: String(proof.treeSize),
                  hashes: [],
                  checkpoint: { envelope: proof.checkpoint },
                },
                canonicalizedBody: entry.body,
              },
            ],
          },
          dsseEnvelope,
        };
      },
    };
  };
  return { trustedRoot, identify };
}
