import { LRUCache } from 'lru-cache';
import { requestText, stampPrefix } from '../../../core/action/own-steps.ts';
import type { Alert, ApiRequest } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, objectOf, sensorText } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import { atLeast } from '../../../core/alert/severity.ts';
import { distinct, ipOf, observablesInCommand, userOf } from '../observables.ts';
import { present } from '../present.ts';
import { askedIdentity } from './certificate-request.ts';
import { placeOf } from './place.ts';
import { type AuditRequest, requestOf } from './request.ts';
import { RoleMemory } from './roles.ts';
import { notShown, ruleFor } from './rules.ts';

function isEventList(event: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(event.items) && event.kind === 'EventList';
}

/** Items of a list have no `kind`. */
function detect(value: unknown): boolean {
  const event = objectOf(value);
  if (event === undefined) return false;
  return isEventList(event) || (typeof event.auditID === 'string' && typeof event.stage === 'string');
}

function listIn(value: unknown): string | undefined {
  const event = objectOf(value);
  return event !== undefined && isEventList(event) ? 'items' : undefined;
}

function decode(value: unknown, context: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('an audit event must be a JSON object');
  if (isEventList(event) && Array.isArray(event.items)) {
    return event.items.flatMap((item: unknown) => decodeEvent(item, context));
  }
  return decodeEvent(event, context);
}

const hourMs = 3_600_000;
const remembered = 10_000;

/** Which caller has read which Secret: a person or a controller that reads one again and again learns nothing more from it. In memory, and bounded. */
class ReadMemory {
  /** The event that was told first, so that it is told again if it is delivered again. */
  readonly #first = new LRUCache<string, { readonly auditId: unknown; readonly atMs: number }>({ max: remembered });

  /** Whether the same account, with the same program and from the same address, has read this Secret in the hour before. */
  isAgain(cluster: string, event: Fields, { namespace, name, sourceIps }: AuditRequest): boolean {
    const { auditID: auditId, userAgent, requestReceivedTimestamp } = event;
    const atMs = typeof requestReceivedTimestamp === 'string' ? Date.parse(requestReceivedTimestamp) : Number.NaN;
    if (Number.isNaN(atMs)) return false;
    const caller = [
      objectOf(event.user)?.username,
      objectOf(event.impersonatedUser)?.username,
      objectOf(event.user)?.extra,
      userAgent,
      sourceIps,
    ];
    const key = JSON.stringify([cluster, caller, namespace, name]).slice(0, 2_000);
    const first = this.#first.get(key);
    if (first && first.auditId !== auditId && atMs >= first.atMs && atMs < first.atMs + hourMs) return true;
    if (first?.auditId !== auditId) this.#first.set(key, { auditId, atMs });
    return false;
  }
}

const roles = new RoleMemory();
const reads = new ReadMemory();

function decodeEvent(value: unknown, { cluster, settings }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  const auditId = sensorText(event?.auditID, 128);
  if (event === undefined || auditId === undefined) return rejected('`auditID` is missing or not a string');
  const stage = sensorText(event.stage, 32);
  if (stage === undefined) return rejected('`stage` is missing or not a string');
  if (stage === 'RequestReceived')
    return ignored('kubernetes-audit', 'a request that has not been answered yet: its next stage counts');
  const request = requestOf(event);
  const known = { cluster, settings, roles };
  const rule = ruleFor(request, known);
  const lacks = notShown(request, known);
  if (request.code !== undefined && request.code < 300) roles.learn(cluster, request);
  if (rule?.name === 'Secret read' && reads.isAgain(cluster, event, request))
    return ignored('kubernetes-audit', 'a Secret that the same caller has read in the last hour');
  if (rule === undefined) {
    if (lacks === undefined) return ignored('kubernetes-audit', 'a request that no rule covers');
    const reason = `a request that no rule covers, as far as can be seen without ${lacks}`;
    return [{ kind: 'ignored', sensor: 'kubernetes-audit', reason, lacks }];
  }
  const time = firstTime(event.requestReceivedTimestamp, event.stageTimestamp, event.timestamp);
  if (time === undefined) return rejected('`requestReceivedTimestamp` is missing or not an RFC 3339 time');
  const { pod, workload, node } = placeOf(request);
  const { user, sourceIps, refused } = request;
  const process = present({ user, commandLine: request.command });
  const container = present({ name: request.container });
  const apiRequest = apiRequestOf(event, request);
  const name = refused ? `${rule.name} (refused)` : rule.name;
  const alert: Alert = {
    // Of one request's answered stages only the first counts: the end of an exec is not a second exec.
    id: alertIdOf({ sensor: 'kubernetes-audit', rule: name, time, fields: auditId }),
    sensor: 'kubernetes-audit',
    rule: name,
    severity: request.refusedByAdmission && atLeast(rule.severity, 'high') ? 'medium' : refused ? 'low' : rule.severity,
    time,
    title: titleOf(request),
    cluster,
    ...(node !== undefined && { node }),
    ...(pod && { pod }),
    ...(container && { container }),
    ...(workload && { workload }),
    ...(process && { process }),
    ...(apiRequest && { apiRequest }),
    observables: distinct(userOf(user), sourceIps.flatMap(ipOf), observablesInCommand(request.command)),
    tags: rule.tags,
    mitre: rule.mitre,
  };
  return [{ kind: 'alert', alert, ...(lacks !== undefined && { lacks }) }];
}

function titleOf(request: AuditRequest): string {
  const { user, verb, resource, subresource, namespace, name, command, refused, code } = request;
  const what = [resource, subresource].filter((part) => part !== undefined).join('/');
  const where = [namespace, name].filter((part) => part !== undefined).join('/');
  const ran = command === undefined ? '' : `: ${command}`;
  const asked = askedIdentity(request);
  const whom = asked ? ` for ${[asked.name ?? 'nobody', ...asked.groups].join(', ')}` : '';
  const did = refused ? 'was refused to' : code !== undefined && code >= 400 ? 'tried to' : 'did';
  return `${user ?? 'somebody'} ${did} ${verb} ${what || 'a path'} ${where}${whom}${ran}`.trim().slice(0, 200);
}

/**
 * The API server's audit events, singly, in lines, or as the webhook's EventLists. Only requests covered by `rules.ts` become alerts.
 * https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
 */
export const kubernetesAudit: Sensor = { name: 'kubernetes-audit', detect, decode, listIn };

/** The real caller: the authenticated account, even if it impersonates another. */
export function apiRequestOf(event: Fields, request: AuditRequest): ApiRequest | undefined {
  const account = sensorText(objectOf(event.user)?.username, 256);
  if (account === undefined) return undefined;
  const { verb, resource, subresource, namespace, name } = request;
  const acting = objectOf(event.impersonatedUser);
  return {
    account,
    ...(acting && { impersonates: sensorText(acting.username, 256) ?? 'somebody' }),
    verb,
    ...stampOf(event, request),
    ...(resource !== undefined && { resource }),
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  };
}

const stamped = new RegExp(`^${stampPrefix}([\\w-]{1,1009})$`);

function stampOf({ userAgent }: Fields, { verb, path }: AuditRequest): Pick<ApiRequest, 'stamp'> {
  const [, sealed] = typeof userAgent === 'string' && userAgent.length <= 1_024 ? (stamped.exec(userAgent) ?? []) : [];
  if (sealed === undefined) return {};
  const [plainPath = ''] = path.split('?', 1);
  return { stamp: { request: requestText({ method: verb, path: plainPath }), sealed } };
}
