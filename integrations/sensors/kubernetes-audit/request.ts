import { type Fields, objectName, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { execRequestOf } from '../exec-request.ts';

/** One request to the API server, as its audit event tells it. */
export interface AuditRequest {
  readonly verb: string;
  readonly user: string | undefined;
  readonly groups: readonly string[];
  /** What the authenticator knows besides: with a bound token, the pod and node that it belongs to. */
  readonly extra: Fields;
  readonly sourceIps: readonly string[];
  /** Of the user agent: `kubectl` of `kubectl/v1.36.3 (linux/amd64) …`. What the sender says. */
  readonly program: string | undefined;
  /** Another account acts as this user. */
  readonly impersonated: boolean;
  readonly path: string;
  readonly apiGroup: string;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly uid: unknown;
  /** What an exec runs, and the container that a request for a pod names, both from the address. */
  readonly command: string | undefined;
  readonly container: string | undefined;
  /** Only at the levels Request and RequestResponse. */
  readonly body: Fields | undefined;
  readonly answered: Fields | undefined;
  readonly code: number | undefined;
  /** By authorization or authentication. */
  readonly refused: boolean;
}

export function requestOf(event: Fields): AuditRequest {
  const target = objectOf(event.objectRef);
  const user = objectOf(event.impersonatedUser) ?? objectOf(event.user);
  const code = wholeNumber(objectOf(event.responseStatus)?.code);
  const path = typeof event.requestURI === 'string' ? event.requestURI.slice(0, 8_192) : '';
  const { command, container } = execRequestOf(path);
  const decision = objectOf(event.annotations)?.['authorization.k8s.io/decision'];
  const ips: readonly unknown[] = Array.isArray(event.sourceIPs) ? event.sourceIPs.slice(0, 16) : [];
  const groups: readonly unknown[] = Array.isArray(user?.groups) ? user.groups.slice(0, 64) : [];
  return {
    verb: sensorText(event.verb, 32) ?? 'unknown',
    user: sensorText(user?.username, 256),
    groups: groups.filter((group) => typeof group === 'string'),
    extra: objectOf(user?.extra) ?? {},
    program: sensorText(event.userAgent, 1_024)?.split('/', 1)[0],
    impersonated: objectOf(event.impersonatedUser) !== undefined,
    sourceIps: ips.filter((ip) => typeof ip === 'string'),
    path,
    apiGroup: sensorText(target?.apiGroup, 128) ?? '',
    resource: sensorText(target?.resource, 128),
    subresource: sensorText(target?.subresource, 128),
    namespace: objectName(target?.namespace),
    name: sensorText(target?.name, 253),
    uid: target?.uid,
    command,
    container: target?.resource === 'pods' ? container : undefined,
    body: objectOf(event.requestObject),
    answered: objectOf(event.responseObject),
    code,
    refused: decision === 'forbid' || code === 401 || code === 403,
  };
}

/** The first of an authenticator's list of texts. */
export function extraText(extra: Fields, name: string): string | undefined {
  const value: unknown = Object.hasOwn(extra, name) ? extra[name] : undefined;
  return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined;
}
