import { createHash, X509Certificate } from 'node:crypto';
import type { ObjectJson, ObjectRef } from '../objects.ts';
import type { SecretJson } from './secrets.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
}

/** The fields of an ExternalSecret that say whether and when it has written its Secret: https://external-secrets.io/latest/api/externalsecret/ */
export interface ExternalSecretJson extends ObjectJson {
  readonly spec?: {
    readonly refreshPolicy?: string;
    readonly refreshInterval?: string;
    readonly target?: { readonly name?: string };
  };
  readonly status?: { readonly syncedResourceVersion?: string; readonly conditions?: readonly Condition[] };
}

/** The fields of a Certificate that say how it is issued: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.Certificate */
export interface CertificateJson extends ObjectJson {
  readonly metadata: ObjectJson['metadata'] & { readonly generation?: number };
  readonly spec?: { readonly secretName?: string; readonly privateKey?: { readonly rotationPolicy?: string } };
  readonly status?: { readonly revision?: number; readonly conditions?: readonly Condition[] };
}

/** A writer of a Secret that can be made to write it again. */
export interface SecretWriter {
  readonly kind: 'ExternalSecret' | 'Certificate';
  readonly ref: ObjectRef;
}

/** The writer that a Secret names; `whyNotRewritten` checks whether the writer agrees. */
export function writerOf({ metadata }: SecretJson): SecretWriter | undefined {
  const { namespace = '', ownerReferences = [], annotations = {} } = metadata ?? {};
  for (const { apiVersion, kind, name } of ownerReferences) {
    const [, version] = /^external-secrets\.io\/(v[a-z0-9]+)$/.exec(apiVersion) ?? [];
    if (kind === 'ExternalSecret' && version !== undefined) {
      const place = { group: 'external-secrets.io', version, resource: 'externalsecrets' };
      return { kind, ref: { kind, ...place, namespace, name } };
    }
  }
  const name = annotations['cert-manager.io/certificate-name'];
  if (name === undefined) return undefined;
  const place = { group: 'cert-manager.io', version: 'v1', resource: 'certificates' };
  return { kind: 'Certificate', ref: { kind: 'Certificate', ...place, namespace, name } };
}

/** Why the writer would not write this Secret again on request; undefined if it would. */
export function whyNotRewritten(writer: SecretWriter, object: ObjectJson | undefined, secret: string): string | undefined {
  const title = `${writer.kind} ${writer.ref.name}`;
  if (!object) return `its ${title} does not exist`;
  if (writer.kind === 'Certificate') {
    const { spec }: CertificateJson = object;
    if (spec?.secretName !== secret) return `its ${title} writes another Secret`;
    return spec.privateKey?.rotationPolicy === 'Never'
      ? `its ${title} has privateKey.rotationPolicy Never: the new certificate would have the stolen key. Set Always`
      : undefined;
  }
  const { spec }: ExternalSecretJson = object;
  if ((spec?.target?.name ?? writer.ref.name) !== secret) return `its ${title} writes another Secret`;
  const { refreshPolicy = 'Periodic', refreshInterval } = spec ?? {};
  if (refreshPolicy === 'CreatedOnce') return `its ${title} has refreshPolicy CreatedOnce: it never refreshes`;
  return refreshPolicy === 'Periodic' && refreshInterval !== undefined && /^0[a-z]*$/.test(refreshInterval)
    ? `its ${title} has refreshInterval 0: it never refreshes`
    : undefined;
}

export function conditionOf(object: ExternalSecretJson | CertificateJson, type: string): Condition | undefined {
  return object.status?.conditions?.find((one) => one.type === type);
}

/** The certificate details in a Secret of type kubernetes.io/tls: they contain no secret. Undefined if it holds no certificate. */
export function certificateIn({ data }: SecretJson): { readonly publicKey: string; readonly ends: string } | undefined {
  try {
    const certificate = new X509Certificate(Buffer.from(data?.['tls.crt'] ?? '', 'base64'));
    const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
    return {
      publicKey: createHash('sha256').update(publicKey).digest('hex'),
      ends: certificate.validToDate.toISOString(),
    };
  } catch {
    return undefined;
  }
}
