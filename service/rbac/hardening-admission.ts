import { names } from '../../core/cluster/labels.ts';
import { type Account, annotations, policy, sameBut, sameNames, templateContainers } from './policy.ts';

const rule = {
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  operations: ['UPDATE'],
  resources: ['deployments', 'statefulsets', 'daemonsets'],
};

/** For a cell whose actions never touch what a workload runs. */
export function frozenTemplates(account: Account): readonly object[] {
  return policy({
    name: `${account.name}-templates`,
    account,
    rule,
    variables: [],
    validations: [
      {
        expression: 'object.spec.template.spec == oldObject.spec.template.spec',
        message: 'Firebreak may change nothing of what a workload runs',
      },
    ],
  });
}

const podFields = ['hostUsers', 'automountServiceAccountToken'];
const profiles = ['seccompProfile', 'appArmorProfile'];
const containerFields = ['privileged', 'allowPrivilegeEscalation', 'readOnlyRootFilesystem', 'runAsNonRoot'];

/**
 * `hardenWorkload` sets security fields of a pod template, and restores them. With this policy, someone who steals the account can set each field only to a
 * value that removes rights, or to exactly what it was before a hardening: the annotation that records this must be true when it is written.
 */
export function hardeningAdmission(account: Account): readonly object[] {
  const from = `'${names.hardenedFromAnnotation}'`;
  return policy({
    name: `${account.name}-templates`,
    account,
    rule,
    variables: [
      ...annotations,
      { name: 'was', expression: 'dyn(oldObject.spec.template.spec)' },
      { name: 'is', expression: 'dyn(object.spec.template.spec)' },
      ...templateContainers,
      { name: 'givenBack', expression: `variables.before[?${from}].orValue('').split('\\n')` },
    ],
    validations: [
      {
        expression: [
          sameBut('variables.is', 'variables.was', 'securityContext', ...podFields, 'containers', 'initContainers'),
          ...['containers', 'initContainers'].map((list) =>
            sameNames(`variables.is.?${list}.orValue([])`, `variables.was.?${list}.orValue([])`, 'c'),
          ),
          `variables.areContainers.all(c, variables.wereContainers.exists(o, o.name == c.name && ${sameBut('c', 'o', 'securityContext')}))`,
        ].join(' && '),
        message: 'Firebreak may change the security fields of a pod template, and nothing else of what a workload runs',
      },
      {
        expression: [
          sameBut(contextOf('variables.is'), contextOf('variables.was'), ...profiles, 'runAsNonRoot'),
          `(${podIsHarder} || (${podLine('variables.is')} in variables.givenBack && ${ownProfile('variables.is', 'variables.was')}))`,
          `variables.areContainers.all(c, variables.wereContainers.exists(o, o.name == c.name && ${sameBut(contextOf('c'), contextOf('o'), ...containerFields, ...profiles, 'capabilities')} && (${containerIsHarder} || (${containerLine('c')} in variables.givenBack && ${ownProfile('c', 'o')}))))`,
        ].join(' && '),
        message: 'Firebreak may only remove rights from a pod template, or restore those that it removed',
      },
      {
        expression: `!(${from} in variables.after) || variables.after[${from}] == variables.before[?${from}].orValue('') || (${linesAreTrue})`,
        message: 'Firebreak may note only what the security fields of a pod template really were',
      },
    ],
  });
}

function contextOf(of: string): string {
  return `${of}.?securityContext.orValue({})`;
}

function field(of: string, name: string): string {
  return `${of}.?securityContext.?${name}`;
}

const isDefault = `?type.orValue('') == 'RuntimeDefault'`;

/** Each field is unchanged, or has the value that a hardening sets. */
const podIsHarder = [
  ...podFields.map((name) => `(variables.is.?${name} == variables.was.?${name} || variables.is.?${name}.orValue(true) == false)`),
  isOr('variables.is', 'variables.was', 'runAsNonRoot', 'orValue(false) == true'),
  ...profiles.map((name) => isOr('variables.is', 'variables.was', name, isDefault)),
].join(' && ');

const containerIsHarder = [
  ...['privileged', 'allowPrivilegeEscalation'].map((name) => isOr('c', 'o', name, 'orValue(true) == false')),
  ...['readOnlyRootFilesystem', 'runAsNonRoot'].map((name) => isOr('c', 'o', name, 'orValue(false) == true')),
  ...profiles.map((name) => isOr('c', 'o', name, isDefault)),
  `(${field('c', 'capabilities')} == ${field('o', 'capabilities')} || (${field('c', 'capabilities')}.?drop.orValue([]) == ['ALL'] && ${field('c', 'capabilities')}.?add.orValue([]).all(one, one == 'NET_BIND_SERVICE')))`,
].join(' && ');

function isOr(is: string, was: string, name: string, hard: string): string {
  return `(${field(is, name)} == ${field(was, name)} || ${field(is, name)}.${hard})`;
}

/** A profile from a file on the node has a path, which the recorded lines do not contain: no hardening touches such a profile. */
function ownProfile(is: string, was: string): string {
  return profiles
    .map((name) => `(${field(is, name)}.?type.orValue('') != 'Localhost' || ${field(is, name)} == ${field(was, name)})`)
    .join(' && ');
}

/** The format that `hardenedFieldsText` in `core/action/hardening.ts` writes. */
function podLine(of: string): string {
  return line(
    `'/'`,
    ...podFields.map((name) => `string(${of}.?${name}.orValue('-'))`),
    text(of, 'runAsNonRoot'),
    ...profiles.map((name) => text(of, name, '?type.')),
  );
}

function containerLine(of: string): string {
  const list = (name: string): string => `${field(of, 'capabilities')}.?${name}.orValue([]).join(',')`;
  return line(
    `string(${of}.name)`,
    ...containerFields.map((name) => text(of, name)),
    ...profiles.map((name) => text(of, name, '?type.')),
    list('add'),
    list('drop'),
  );
}

function text(of: string, name: string, inner = ''): string {
  return `string(${field(of, name)}.${inner}orValue('-'))`;
}

function line(...parts: readonly string[]): string {
  return `[${parts.join(', ')}].join('/')`;
}

/** The API server accepts any text as a capability: one could contain an extra line. */
const linesAreTrue = [
  `variables.after['${names.hardenedFromAnnotation}'] == ([${podLine('variables.was')}] + variables.wereContainers.map(c, ${containerLine('c')})).join('\\n')`,
  `variables.wereContainers.all(c, (${field('c', 'capabilities')}.?add.orValue([]) + ${field('c', 'capabilities')}.?drop.orValue([])).all(one, one.matches('^[A-Z0-9_]+$')))`,
].join(' && ');
