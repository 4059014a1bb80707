import { LRUCache } from 'lru-cache';
import { type Fields, objectOf, sensorText } from '../../../core/alert/sensor-text.ts';
import { objectsIn } from './dangerous.ts';
import type { AuditRequest } from './request.ts';

/**
 * The most that a role grants. `all`: everything; `wide`: wildcards; `dangerous`: a way to others' rights, Secrets or containers; `writes`: changes objects;
 * `reads`: only reads them.
 */
export type RoleWeight = 'all' | 'wide' | 'dangerous' | 'writes' | 'reads';

const heaviestFirst: readonly RoleWeight[] = ['all', 'wide', 'dangerous', 'writes', 'reads'];
const writeVerbs = ['create', 'update', 'patch', 'delete', 'deletecollection', '*'];
const makeVerbs = ['create', 'update', 'patch', '*'];
/** https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks */
const dangerousVerbs = ['escalate', 'bind', 'impersonate', 'approve', 'sign'];
const dangerousToRead = ['secrets', 'nodes/proxy'];
const dangerousToMake = [
  'pods/exec',
  'pods/attach',
  'pods/ephemeralcontainers',
  'nodes/proxy',
  'serviceaccounts/token',
  'secrets',
  'roles',
  'clusterroles',
  'rolebindings',
  'clusterrolebindings',
  'certificatesigningrequests/approval',
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'apiservices',
  'persistentvolumes',
];
/** An exec can be requested by GET, too. */
const dangerousAtAll = ['pods/exec', 'pods/attach'];

/** The weight of one rule of a role. */
function weightOfRule(rule: Fields): RoleWeight {
  const [verbs, resources] = [wordsIn(rule.verbs), wordsIn(rule.resources)];
  if (verbs.has('*') && resources.has('*')) return 'all';
  if (verbs.has('*') || resources.has('*')) return 'wide';
  // `*/exec` is the exec of everything that has one.
  const isOn = (resource: string) => resources.has(resource) || resources.has(resource.replace(/^[^/]+(?=\/)/, '*'));
  const may = (list: readonly string[], on: readonly string[]) => list.some((verb) => verbs.has(verb)) && on.some(isOn);
  if (dangerousVerbs.some((verb) => verbs.has(verb)) || dangerousAtAll.some(isOn)) return 'dangerous';
  if (may(['get', 'list', 'watch'], dangerousToRead) || may(makeVerbs, dangerousToMake)) return 'dangerous';
  return writeVerbs.some((verb) => verbs.has(verb)) ? 'writes' : 'reads';
}

function wordsIn(list: unknown): ReadonlySet<unknown> {
  return new Set(Array.isArray(list) ? list : []);
}

/**
 * What the role in this request grants; undefined if the event does not show it: level Metadata, a patch without its answer, or an aggregated role.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
 */
export function weightOfRole({ resource, written, isPart, answered }: AuditRequest): RoleWeight | undefined {
  if (resource !== 'roles' && resource !== 'clusterroles') return undefined;
  const told = [...written, answered];
  if (told.some((role) => objectOf(role?.aggregationRule) !== undefined)) return undefined;
  const given = told.filter((role) => Array.isArray(role?.rules));
  if (given.length === 0) return undefined;
  const weights = given.flatMap((role) => objectsIn(role?.rules).map(weightOfRule));
  const heaviest = heaviestFirst.find((weight) => weights.includes(weight)) ?? 'reads';
  // The role grants at least what a partial write adds; only the answer shows what it granted before.
  const mayGiveMore = isPart && !Array.isArray(answered?.rules) && isLight(heaviest);
  return mayGiveMore ? undefined : heaviest;
}

function isLight(weight: RoleWeight | undefined): boolean {
  return weight === 'writes' || weight === 'reads';
}

/** Roles that exist in every cluster. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles */
const wellKnown: Readonly<Record<string, RoleWeight>> = {
  'cluster-admin': 'all',
  admin: 'dangerous',
  edit: 'dangerous',
  view: 'reads',
};

const remembered = 2_000;

/** What roles grant, from writes to them that were seen: a binding contains only a name. In memory, and bounded: an unknown role is reported as unknown. */
export class RoleMemory {
  readonly #weights = new LRUCache<string, RoleWeight>({ max: remembered });

  /** Learns from an answered request that writes a role. */
  learn(cluster: string, request: AuditRequest): void {
    const { verb, resource, namespace, subresource, name, written, answered } = request;
    if ((resource !== 'roles' && resource !== 'clusterroles') || subresource !== undefined) return;
    const called = name ?? sensorText(objectOf((answered ?? written[0])?.metadata)?.name, 253);
    if (called === undefined || !['create', 'update', 'patch', 'delete'].includes(verb)) return;
    const key = keyOf(cluster, resource === 'roles' ? namespace : undefined, called);
    this.#weights.delete(key);
    const weight = verb === 'delete' ? undefined : weightOfRole(request);
    // A patch may add to rules that the event does not contain.
    const mayGiveMore = verb === 'patch' && !Array.isArray(answered?.rules) && isLight(weight);
    if (weight !== undefined && !mayGiveMore) this.#weights.set(key, weight);
  }

  /** The weight of the role that a binding names; undefined if it does not name one, or the role was not seen. */
  boundBy(cluster: string, { namespace, written, answered }: AuditRequest): RoleWeight | undefined {
    const ref = [...written, answered].map((binding) => objectOf(binding?.roleRef)).find((found) => found !== undefined);
    const name = sensorText(ref?.name, 253);
    if (name === undefined) return undefined;
    if (ref?.kind !== 'Role' && Object.hasOwn(wellKnown, name)) return wellKnown[name];
    return this.#weights.get(keyOf(cluster, ref?.kind === 'Role' ? namespace : undefined, name));
  }
}

function keyOf(cluster: string, namespace: string | undefined, name: string): string {
  return JSON.stringify([cluster, namespace ?? '', name]);
}
