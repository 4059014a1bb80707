import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { bundleToJSON, toDSSEBundle, toMessageSignatureBundle } from '@sigstore/bundle';
import { FirebreakError } from '../../core/errors.ts';

/** An in-toto statement with SLSA provenance: https://slsa.dev/spec/v1.0/provenance */
interface ProvenanceStatement {
  readonly _type: 'https://in-toto.io/Statement/v1';
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: 'https://slsa.dev/provenance/v1';
  readonly predicate: {
    readonly buildDefinition: {
      readonly buildType: string;
      readonly externalParameters: Readonly<Record<string, string>>;
      readonly resolvedDependencies: readonly { readonly uri: string; readonly digest: { readonly gitCommit: string } }[];
    };
    readonly runDetails: {
      readonly builder: { readonly id: string };
      readonly metadata: { readonly invocationId: string; readonly startedOn: string };
    };
  };
}

const statementType = 'application/vnd.in-toto+json';

/** States which commit the files are from, who made them, and how. Dated by the commit: the same commit gives the same statement. */
export function provenance(options: {
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly images: readonly { readonly name: string; readonly digest: string }[];
  readonly commit: string;
  readonly at: string;
  readonly builder: string;
}): ProvenanceStatement {
  const { files, images, commit, at, builder } = options;
  const subject = files.map(({ name, sha256 }) => ({ name, digest: { sha256 } }));
  const inRegistry = images.map(({ name, digest }) => ({ name, digest: { sha256: digest.replace('sha256:', '') } }));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [...subject, ...inRegistry],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://firebreak.dev/release/v1',
        externalParameters: { command: 'npm run release', commit },
        resolvedDependencies: [{ uri: 'git+firebreak', digest: { gitCommit: commit } }],
      },
      runDetails: { builder: { id: builder }, metadata: { invocationId: commit, startedOn: at } },
    },
  };
}

/** Returns a bundle like that of `cosign sign-blob --bundle`: `cosign verify-blob --key PUBLIC --bundle FILE`. @throws FB_ERR_KEY_FILE */
export function signBytes(content: Uint8Array, pem: string): string {
  const key = privateKey(pem);
  const digest = createHash('sha256').update(content).digest();
  const signature = sign('sha256', content, key);
  return `${JSON.stringify(bundleToJSON(toMessageSignatureBundle({ digest, signature, keyHint: hintOf(key) })))}\n`;
}

/** Returns the statement in an envelope (DSSE), in a bundle: `cosign verify-blob-attestation --key PUBLIC --bundle FILE`. @throws FB_ERR_KEY_FILE */
export function signStatement(statement: ProvenanceStatement, pem: string): string {
  const key = privateKey(pem);
  const artifact = Buffer.from(JSON.stringify(statement));
  // https://github.com/secure-systems-lab/dsse/blob/master/protocol.md: the signed bytes include the lengths of their parts.
  const head = `DSSEv1 ${statementType.length} ${statementType} ${artifact.length} `;
  const signature = sign('sha256', Buffer.concat([Buffer.from(head), artifact]), key);
  return `${JSON.stringify(bundleToJSON(toDSSEBundle({ artifact, artifactType: statementType, signature, keyHint: hintOf(key) })))}\n`;
}

function privateKey(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    key = undefined;
  }
  if (key?.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw new FirebreakError(
    'FB_ERR_KEY_FILE',
    'a release is signed with an EC key on P-256: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
  );
}

/** The name that cosign gives a key in a bundle. */
function hintOf(key: KeyObject): string {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64');
}
