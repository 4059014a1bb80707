import { type Fields, objectName, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { execRequestOf } from '../exec-request.ts';

/** One request to the API server, from its audit event. */
export interface AuditRequest {
  readonly verb: string;
  readonly user: string | undefined;
  readonly groups: readonly string[];
  /** Additional data from the authenticator: for a bound token, the pod and node that it belongs to. */
  readonly extra: Fields;
  readonly sourceIps: readonly string[];
  /** From the user agent: `kubectl` of `kubectl/v1.36.3 (linux/amd64) …`. Chosen by the sender. */
  readonly program: string | undefined;
  /** Whether another account acts as this user. */
  readonly impersonated: boolean;
  readonly path: string;
  readonly apiGroup: string;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly uid: unknown;
  /** The command of an exec, and the container that a request for a pod names, both from the address. */
  readonly command: string | undefined;
  readonly container: string | undefined;
  /** What it writes: its object, or what each operation of a JSON patch sets, at its path. Only at the levels Request and RequestResponse. */
  readonly written: readonly Fields[];
  /** A JSON patch: other existing content stays. */
  readonly isPart: boolean;
  /** A JSON patch that copies or moves existing content outside the metadata: the event does not contain it. */
  readonly copies: boolean;
  readonly answered: Fields | undefined;
  /** Why the event does not contain what was written, if so. */
  readonly hidden: 'at level Metadata' | 'cut by the API server' | undefined;
  readonly code: number | undefined;
  /** Refused by authorization or authentication, or by admission. */
  readonly refused: boolean;
  /** Authorization let it through, and admission did not: the caller has the right, and a policy stood in the way. */
  readonly refusedByAdmission: boolean;
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
    written: writtenBy(event.requestObject),
    isPart: Array.isArray(event.requestObject),
    copies: copiesBy(event.requestObject),
    answered: objectOf(event.responseObject),
    hidden: hiddenBy(event),
    code,
    refused: decision === 'forbid' || code === 401 || code === 403,
    refusedByAdmission: decision === 'allow' && code === 403,
  };
}

/** Fields examined by rules that are lists: their members have an index, not a name. */
const lists = new Set(
  'rules subjects verbs resources containers initContainers ephemeralContainers volumes externalIPs add'.split(' '),
);

function writtenBy(sent: unknown): readonly Fields[] {
  if (Array.isArray(sent)) return sent.flatMap((operation) => placedBy(objectOf(operation) ?? {}));
  const whole = objectOf(sent);
  return whole === undefined ? [] : [whole];
}

function copiesBy(sent: unknown): boolean {
  if (!Array.isArray(sent)) return false;
  return sent.some((operation) => {
    const { op, path } = objectOf(operation) ?? {};
    return (op === 'copy' || op === 'move') && !(typeof path === 'string' && path.startsWith('/metadata/'));
  });
}

/** List elements of which an operation changes only a part. */
const partial = new WeakSet<object>();

/** Whether a JSON patch contains only a part of this element. */
export function isPartOfElement(element: Fields): boolean {
  return partial.has(element);
}

/** `{ op: 'add', path: '/rules/-', value }` → `{ rules: [value] }`. https://www.rfc-editor.org/rfc/rfc6902 and rfc6901 */
function placedBy(operation: Fields): readonly Fields[] {
  const { op, value } = operation;
  const isTaken = op === 'remove' || op === 'move';
  const path: unknown = op === 'move' ? operation.from : operation.path;
  if (!(isTaken || op === 'add' || op === 'replace') || typeof path !== 'string') return [];
  const keys = path
    .split('/', 32)
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const placed = keys.reduceRight<unknown>(
    (inner, key, at) => {
      if (!lists.has(keys[at - 1] ?? '')) return { [key]: inner };
      const element = at < keys.length - 1 ? objectOf(inner) : undefined;
      if (element) partial.add(element);
      return [inner];
    },
    isTaken ? undefined : value,
  );
  const whole = objectOf(placed);
  return whole === undefined ? [] : [whole];
}

function hiddenBy(event: Fields): AuditRequest['hidden'] {
  if (event.level === 'Metadata') return 'at level Metadata';
  return objectOf(event.annotations)?.['audit.k8s.io/truncated'] === 'true' ? 'cut by the API server' : undefined;
}

/** The first text of an authenticator's list. */
export function extraText(extra: Fields, name: string): string | undefined {
  const value: unknown = Object.hasOwn(extra, name) ? extra[name] : undefined;
  return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined;
}
