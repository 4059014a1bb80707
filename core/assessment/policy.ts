import { matchesAnyName } from '../text/name-pattern.ts';
import { type ResponsePolicy, silenceUnder } from './assessment.ts';
import { type Mode, modes, type Profile, profiles } from './response.ts';

/** What happens if nobody answers in time. Weakest first. */
export const silences = ['nothing', 'contain'] as const;
type OnSilence = (typeof silences)[number];

/** Part of the installation with a response of its own. Everything that it names must hold; what it does not set is as in the rest of the installation. */
export interface ResponseScope {
  /** What people read about it. */
  readonly name?: string;
  /** Names in which `*` stands for any characters. */
  readonly clusters?: readonly string[];
  /** Names in which `*` stands for any characters. */
  readonly namespaces?: readonly string[];
  /** Whoever may edit a namespace writes these. */
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  /** Whoever may edit a workload writes these: a scope that asks for them makes the response stronger, never weaker. */
  readonly workloadLabels?: Readonly<Record<string, string>>;
  readonly playbooks?: readonly string[];
  readonly mode?: Mode;
  readonly profile?: Profile;
  readonly onSilence?: OnSilence;
}

export interface ResponseRules {
  readonly mode: Mode;
  readonly profile: Profile;
  readonly onSilence: OnSilence;
  /** The first that matches holds. */
  readonly scopes: readonly ResponseScope[];
}

/** What a policy is asked for. What is not known matches no scope that asks for it. */
export interface PolicySubject {
  readonly cluster: string;
  readonly namespace?: string | undefined;
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  readonly workloadLabels?: Readonly<Record<string, string | null>> | undefined;
  /** Ids of the playbooks that answer. */
  readonly playbooks: readonly string[];
}

/** What holds if the configuration says nothing. */
export const defaultResponse: ResponseRules = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scopes: [] };

/** What holds for a subject. If several playbooks answer, the strongest of their policies holds: an alert that calls for one more cannot weaken the others. */
export function policyFor(rules: ResponseRules, subject: PolicySubject): ResponsePolicy {
  const [first, ...others] = subject.playbooks;
  return others.reduce(
    (found, playbook) => strongerOf(found, policyOf(rules, subject, playbook)),
    policyOf(rules, subject, first),
  );
}

/** What is known of a place where something would be written. Labels that are not known: no assumption about them may allow it. */
interface Place {
  readonly cluster: string;
  /** Absent: an object of the whole cluster. */
  readonly namespace?: string | undefined;
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
}

/** The weakest policy that may hold for a subject, if the labels of its namespace are not known. */
export function weakestFor(rules: ResponseRules, subject: PolicySubject): ResponsePolicy {
  if (subject.namespace === undefined || subject.namespaceLabels !== undefined) return policyFor(rules, subject);
  const possible = [{}, ...rules.scopes.map((scope) => scope.namespaceLabels ?? {})].map((namespaceLabels) =>
    policyFor(rules, { ...subject, namespaceLabels }),
  );
  return possible.reduce(weakerOf);
}

/** Which of the two lets less be done; the first, if they let the same be done. */
export function weakerOf(one: ResponsePolicy, other: ResponsePolicy): ResponsePolicy {
  if (other.mode !== one.mode) return modes.indexOf(other.mode) < modes.indexOf(one.mode) ? other : one;
  return silences.indexOf(silenceUnder(other)) < silences.indexOf(silenceUnder(one)) ? other : one;
}

/** Whether something may be written there at all, for whatever playbook and workload. */
export function mayBeWritten(rules: ResponseRules, place: Place): boolean {
  return policiesIn(rules, place).some(({ mode }) => mode !== 'observe');
}

/** Whether anything may be contained there without people's answer, for whatever playbook and workload. */
export function mayBeContained(rules: ResponseRules, place: Place): boolean {
  return policiesIn(rules, place).some(({ mode }) => mode === 'contain');
}

/** The weakest policy of each playbook and workload there that some scope names, and of one that none names. */
function policiesIn(rules: ResponseRules, place: Place): readonly ResponsePolicy[] {
  const playbooks = [undefined, ...new Set(rules.scopes.flatMap((scope) => scope.playbooks ?? []))];
  const workloads = [{}, ...rules.scopes.map((scope) => scope.workloadLabels ?? {})];
  return playbooks.flatMap((playbook) =>
    workloads.map((workloadLabels) =>
      weakestFor(rules, { ...place, workloadLabels, playbooks: playbook === undefined ? [] : [playbook] }),
    ),
  );
}

function policyOf(rules: ResponseRules, subject: PolicySubject, playbook: string | undefined): ResponsePolicy {
  const matching = rules.scopes.filter((scope) => matches(scope, subject, playbook));
  const base = policyIn(rules, matching.find(isOfOperator));
  const [first] = matching;
  return first === undefined || isOfOperator(first) ? base : strongerOf(policyIn(rules, first), base);
}

/** Whether nobody who may only edit workloads can make it match. */
function isOfOperator({ workloadLabels }: ResponseScope): boolean {
  return workloadLabels === undefined;
}

/** What a scope sets; without one, what holds where no scope matches. */
export function policyIn(rules: ResponseRules, scope: ResponseScope | undefined): ResponsePolicy {
  const { mode, profile, onSilence, scopes } = rules;
  if (!scope) return { mode, profile, onSilence, scope: scopes.length > 0 ? 'no scope matches' : 'the whole installation' };
  return {
    mode: scope.mode ?? mode,
    profile: scope.profile ?? profile,
    onSilence: scope.onSilence ?? onSilence,
    scope: scopeText(scope, scopes.indexOf(scope)),
  };
}

/** How people read which scope it is. */
export function scopeText({ name, ...asked }: ResponseScope, index: number): string {
  return name === undefined ? `scope ${index + 1} (${scopeAsks(asked)})` : `scope ${name}`;
}

/** What a scope asks for, in words. */
export function scopeAsks({ clusters, namespaces, namespaceLabels, workloadLabels, playbooks }: ResponseScope): string {
  const listed = (what: string, values: readonly string[] = []): readonly string[] =>
    values.length > 0 ? [`${what} ${values.join(', ')}`] : [];
  const written = (labels: Readonly<Record<string, string>> = {}): readonly string[] =>
    Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  const conditions = [
    ...listed('cluster', clusters),
    ...listed('namespace', namespaces),
    ...listed('namespace label', written(namespaceLabels)),
    ...listed('workload label', written(workloadLabels)),
    ...listed('playbook', playbooks),
  ];
  return conditions.length > 0 ? conditions.join('; ') : 'everything';
}

function matches(scope: ResponseScope, subject: PolicySubject, playbook: string | undefined): boolean {
  const { clusters, namespaces, namespaceLabels, workloadLabels, playbooks } = scope;
  const { cluster, namespace } = subject;
  return (
    (clusters === undefined || matchesAnyName(clusters, cluster)) &&
    (namespaces === undefined || (namespace !== undefined && matchesAnyName(namespaces, namespace))) &&
    carries(subject.namespaceLabels, namespaceLabels) &&
    carries(subject.workloadLabels, workloadLabels) &&
    (playbooks === undefined || (playbook !== undefined && playbooks.includes(playbook)))
  );
}

function carries(labels: Readonly<Record<string, string | null>> = {}, asked: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(asked).every(([label, value]) => Object.hasOwn(labels, label) && labels[label] === value);
}

function strongerOf(one: ResponsePolicy, other: ResponsePolicy): ResponsePolicy {
  const mode = later(modes, one.mode, other.mode);
  const profile = later(profiles, one.profile, other.profile);
  const onSilence = later(silences, one.onSilence, other.onSilence);
  const gives = (policy: ResponsePolicy): boolean =>
    policy.mode === mode && policy.profile === profile && policy.onSilence === onSilence;
  // Neither gives all of it: people read both.
  const scope = gives(one) ? one.scope : gives(other) ? other.scope : `${one.scope}, strengthened by ${other.scope}`;
  return { mode, profile, onSilence, scope };
}

function later<T>(order: readonly T[], one: T, other: T): T {
  return order.indexOf(other) > order.indexOf(one) ? other : one;
}
