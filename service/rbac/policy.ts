import type { Pool } from '../../core/action/action.ts';
import { othersBytes, othersCount, ownPrefix } from '../../integrations/kubernetes/annotation-room.ts';

/** The ServiceAccount that a policy restricts. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** A policy and its binding. It applies to one account's requests, or to those selected by `conditions` instead of an account. */
export function policy(
  options: {
    readonly name: string;
    /** The pool of the account; default: the cell. */
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

/** The request was made by the account. */
export function isBy({ namespace, name }: Account): string {
  return `request.userInfo.username == 'system:serviceaccount:${namespace}:${name}'`;
}

/** Updates of objects with a pod template that can be changed. */
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

/** Includes what `onlyOwnAnnotations` needs from the object itself. */
export const ownAnnotations = [
  ...annotations,
  {
    // Each annotation is read only if there are few enough.
    name: 'isCrowded',
    expression: `variables.before.size() > ${othersCount} || variables.before.map(k, k.startsWith('${ownPrefix}') ? 0 : size(bytes(k)) + size(bytes(variables.before[k]))).sum() > ${othersBytes}`,
  },
];

/**
 * Annotations of others must stay, unless they leave no room for our note: then they may be removed, but never changed.
 *
 * @param options.more annotations that may be changed besides our own, which `besides` names; `moreWhere` says of `k` when another may be changed; `unless`
 * says when the rule does not apply
 */
export function onlyOwnAnnotations(
  what: string,
  options: {
    /** Names of the variables with the annotations before and after. Notes are written only on the object itself: elsewhere all annotations of others stay. */
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

/** The containers of a pod template, from its spec before (`was`) and after (`is`). */
export const templateContainers = [
  { name: 'wereContainers', expression: 'variables.was.containers + variables.was.?initContainers.orValue([])' },
  { name: 'areContainers', expression: 'variables.is.containers + variables.is.?initContainers.orValue([])' },
];

/** Two lists have entries with the same names in the same order. `entry` is the variable name in the expression. */
export function sameNames(one: string, other: string, entry = 'one'): string {
  const names = (list: string): string => `${list}.map(${entry}, ${entry}.name)`;
  return `${names(one)} == ${names(other)}`;
}

/** These fields are unchanged. */
export function same(...fields: readonly string[]): string {
  return fields.map((field) => `${field} == ${field.replace('object', 'oldObject')}`).join(' && ');
}

/** Two objects have the same fields, except these. Unlike a list of fields that must stay, this also covers fields of later Kubernetes versions. */
export function sameBut(one: string, other: string, ...but: readonly string[]): string {
  const free = `k in [${but.map((field) => `'${field}'`).join(', ')}]`;
  return `dyn(${one}).all(k, ${free} || (k in dyn(${other}) && dyn(${other})[k] == dyn(${one})[k])) && dyn(${other}).all(k, ${free} || k in dyn(${one}))`;
}
