import { objectOf } from '../../../core/alert/sensor-text.ts';
import type { AuditRequest } from './request.ts';

/** The identity for which a certificate is requested: common name and organisations, which the API server will use as user and groups. */
interface AskedIdentity {
  readonly name: string | undefined;
  readonly groups: readonly string[];
}

const commonName = '550403';
const organisation = '55040a';

/**
 * From the PKCS #10 request in `spec.request`, base64 of PEM; undefined if the event does not contain it (level Metadata). Searches only for these two
 * attributes, wherever they are: the result is only shown, and grants nothing.
 */
export function askedIdentity({ resource, written, answered }: AuditRequest): AskedIdentity | undefined {
  if (resource !== 'certificatesigningrequests') return undefined;
  for (const object of [...written, answered]) {
    const spec: unknown = object?.spec;
    const request: unknown = typeof spec === 'object' && spec !== null && 'request' in spec ? spec.request : undefined;
    if (typeof request !== 'string' || request.length > 65_536) continue;
    const [, base64] =
      /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END/.exec(
        Buffer.from(request, 'base64').toString('latin1'),
      ) ?? [];
    if (base64 === undefined) continue;
    const der = Buffer.from(base64, 'base64');
    const [name] = attributesOf(der, commonName);
    return { name, groups: attributesOf(der, organisation) };
  }
  return undefined;
}

/** AttributeTypeAndValue of X.501 in DER: the object identifier, then a string whose length is one byte, or `81` and one byte. */
function attributesOf(der: Buffer, type: string): readonly string[] {
  const mark = Buffer.from(`0603${type}`, 'hex');
  const found: string[] = [];
  for (let at = der.indexOf(mark); at >= 0 && found.length < 64; at = der.indexOf(mark, at + 1)) {
    const tag = der[at + mark.length];
    const first = der[at + mark.length + 1];
    const isLong = first === 0x81;
    const length = isLong ? der[at + mark.length + 2] : first;
    if (tag === undefined || length === undefined || length > 255 || (!isLong && length > 127)) continue;
    const begins = at + mark.length + (isLong ? 3 : 2);
    const bytes = der.subarray(begins, begins + length);
    found.push(tag === 0x1e ? Buffer.from(bytes).swap16().toString('utf16le') : bytes.toString('utf8'));
  }
  return found;
}

/** A name or group of Kubernetes itself: the holder of that certificate is treated as a part of it. */
export function isSystemIdentity({ name, groups }: AskedIdentity): boolean {
  return [name, ...groups].some((one) => one?.startsWith('system:') === true);
}

/** A certificate with which its holder is somebody at the API server. https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/ */
export function isForClients({ written, answered }: AuditRequest): boolean {
  return [...written, answered].some((object) => objectOf(object?.spec)?.signerName === 'kubernetes.io/kube-apiserver-client');
}

/** Whether a node renews its own certificate, or requests its first with a bootstrap token: routine. */
export function isOwnNode({ user, groups }: AuditRequest, asked: AskedIdentity): boolean {
  if (asked.name?.startsWith('system:node:') !== true || asked.groups.some((group) => group !== 'system:nodes')) return false;
  return user === asked.name || groups.includes('system:bootstrappers');
}
