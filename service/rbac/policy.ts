import type { Pool } from '../../core/action/action.ts';
import { othersBytes, othersCount, ownPrefix } from '../../integrations/kubernetes/annotation-room.ts';

/** The ServiceAccount that a policy is about. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** A policy and what puts it in force. It is about one account's requests; `conditions`, instead of an account, say whose else. */
export function policy(
  options: {
    readonly name: string;
    /** The pool that the account is of; the cell where not given. */
    readonly pool?: Pool;
    readonly rule: object;
    readonly objectSelector?: object;
    readonly variables: readonly object[];
    readonly validations: readonly object[];
  } & ({ readonly account: Account } | { readonly conditions: readonly object[] }),
): readonly object[] {
  const { name, pool = 'cell', rule, objectSelector, variables, validations } = options;
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': pool } };
  const apiVersion = 'admissionregistration.k8s.io/v1';
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [rule], ...(objectSelector && { objectSelector }) },
        matchConditions:
          'account' in options
            ? [{ name: pool === 'cell' ? 'is-the-cell' : `is-the-${pool}-pool`, expression: isBy(options.account) }]
            : options.conditions,
        ...(variables.length > 0 && { variables }),
        validations,
      },
    },
    { apiVersion, kind: 'ValidatingAdmissionPolicyBinding', metadata, spec: { policyName: name, validationActions: ['Deny'] } },
  ];
}

/** The request is the account's. */
export function isBy({ namespace, name }: Account): string {
  return `request.userInfo.username == 'system:serviceaccount:${namespace}:${name}'`;
}

/** Updates of what has a pod template that somebody may change. */
export const templateUpdates = {
  apiGroups: ['apps', 'batch'],
  apiVersions: ['v1'],
  operations: ['UPDATE'],
  resources: ['deployments', 'statefulsets', 'daemonsets', 'cronjobs'],
};

export const annotations = [
  { name: 'before', expression: 'oldObject.metadata.?annotations.orValue({})' },
  { name: 'after', expression: 'object.metadata.?annotations.orValue({})' },
];

/** With what `onlyOwnAnnotations` asks of an object itself. */
export const ownAnnotations = [
  ...annotations,
  {
    // Each is read only where there are not too many for that.
    name: 'isCrowded',
    expression: `variables.before.size() > ${othersCount} || variables.before.map(k, k.startsWith('${ownPrefix}') ? 0 : size(bytes(k)) + size(bytes(variables.before[k]))).sum() > ${othersBytes}`,
  },
];

/**
 * Others' annotations stay, but where they leave a note of ours no room: then they may be removed, and never changed.
 *
 * @param options.more annotations that may be changed besides our own, which `besides` names; `moreWhere` says of `k` in which case another may; `unless` says where it does not hold
 */
export function onlyOwnAnnotations(
  what: string,
  options: {
    /** Names of the variables with the annotations before and after. Nothing is noted on what is not the object itself: there all of others' stay. */
    readonly from?: string;
    readonly to?: string;
    readonly more?: readonly string[];
    readonly besides?: string;
    readonly moreWhere?: string;
    readonly unless?: (expression: string) => string;
  } = {},
): object {
  const { from = 'before', to = 'after', more = [], moreWhere, unless = (expression) => expression } = options;
  const { besides = 'those that keep autoscalers from it' } = options;
  const named = [...more.map((name) => `k == '${name}'`), ...(moreWhere === undefined ? [] : [`(${moreWhere})`])];
  const ours = [`k.startsWith('${ownPrefix}')`, ...named].join(' || ');
  const mayGo = from === 'before' ? 'variables.isCrowded || ' : '';
  const [before, after] = [`variables.${from}`, `variables.${to}`];
  return {
    expression: unless(
      `${after}.all(k, ${ours} || (k in ${before} && ${before}[k] == ${after}[k])) && (${mayGo}${before}.all(k, ${ours} || k in ${after}))`,
    ),
    message: `Firebreak may change no annotations of ${what} but its own${more.length > 0 ? ` and ${besides}` : ''}`,
  };
}

/** What a pod template runs, of its spec before (`was`) and after (`is`). */
export const templateContainers = [
  { name: 'wereContainers', expression: 'variables.was.containers + variables.was.?initContainers.orValue([])' },
  { name: 'areContainers', expression: 'variables.is.containers + variables.is.?initContainers.orValue([])' },
];

/** Two lists have entries of the same names in the same order. `entry` is what one is called in the expression. */
export function sameNames(one: string, other: string, entry = 'one'): string {
  const names = (list: string): string => `${list}.map(${entry}, ${entry}.name)`;
  return `${names(one)} == ${names(other)}`;
}

/** These fields are as they were. */
export function same(...fields: readonly string[]): string {
  return fields.map((field) => `${field} == ${field.replace('object', 'oldObject')}`).join(' && ');
}

/** Two objects have the same fields, but for these. Unlike a list of what must stay, it holds for fields that a later Kubernetes has, too. */
export function sameBut(one: string, other: string, ...but: readonly string[]): string {
  const free = `k in [${but.map((field) => `'${field}'`).join(', ')}]`;
  return `dyn(${one}).all(k, ${free} || (k in dyn(${other}) && dyn(${other})[k] == dyn(${one})[k])) && dyn(${other}).all(k, ${free} || k in dyn(${one}))`;
}
