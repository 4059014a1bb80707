import type { Alert } from '../alert/alert.ts';
import { atLeast } from '../alert/severity.ts';
import type { Act } from './acts.ts';
import type { Assessment, Mode, Profile, Response } from './response.ts';
import type { Confidence } from './rules/rule-judgement.ts';

/** What holds for one pod now, by the configuration. */
export interface ResponsePolicy {
  readonly mode: Mode;
  readonly profile: Profile;
  /** What happens if nobody answers in time. */
  readonly onSilence: 'contain' | 'nothing';
  /** Which scope of the configuration decided, in words. */
  readonly scope: string;
}

/** Where an act, or two acts together, was seen before. `others`: on other pods, or in somebody's session; an attacker could have caused both. */
export type Familiarity = 'new' | 'others' | 'baseline';

/** All that is known of a pod when an alert about it arrives. Only `alert` is a sensor's claim; the rest the cell has found out. What is not known never weakens. */
export interface PodStory {
  readonly alert: Alert;
  readonly confidence: Confidence;
  readonly confidenceWhy: string;
  /** People who look for a fault cause such alerts, too. */
  readonly isDebugging?: boolean;
  /** Distinct acts on the pod within five minutes, the newest last. */
  readonly acts: readonly Act[];
  readonly novelty: { readonly isNew: boolean; readonly comparedWith: string; readonly by: Familiarity };
  /** Of two acts that count: whether they were seen together before. Absent: there is only one. */
  readonly together?: Familiarity;
  /** The same pod did the same at least ten minutes ago: it has been reported already. */
  readonly isRepeated?: boolean;
  readonly ownerKind?: string;
  readonly replicas?: number;
  readonly privileged?: boolean;
  readonly hostAccess?: boolean;
  readonly signatureRefused?: boolean;
  readonly rolloutUnderWay?: boolean;
  /** Whom the API server's audit names for an exec into this pod. `person`: the person of the roster, if it is one. */
  readonly execBy?: { readonly account: string; readonly person?: string };
  /** Its rule watches a decoy. */
  readonly isDecoy?: boolean;
  /** How often people answered "harmless" for the same rule, image, program and owner. */
  readonly answeredHarmless?: number;
  readonly openQuestion?: boolean;
  readonly contained?: boolean;
  /** Who has released the pod under observation, and when. Absent: nobody, or the time is over. */
  readonly observed?: { readonly by: readonly string[]; readonly at: string };
}

/** As many "harmless" of people lower a response. */
const enoughAnswers = 3;

/** Decides what is done about a pod. Pure: the same story and policy give the same answer wherever it is asked. */
export function assess(story: PodStory, policy: ResponsePolicy): Assessment {
  const { mode, profile, scope } = policy;
  const would = wouldDo(story, profile);
  const response = underMode(would, mode);
  const isGrave = would === 'contain' || wouldDo(story, 'strict') === 'contain';
  return {
    response,
    pages: response === 'ask' && isGrave,
    would,
    wouldPage: would === 'ask' && isGrave,
    mode,
    profile,
    scope,
    onSilence: response === 'ask' && isBelieved(story.alert) ? silenceUnder(policy) : 'nothing',
    reasons: reasonsFor(story),
  };
}

/** What happens to a pod if nobody answers: only mode `contain` does anything without people. The profile `strict` contains, whatever the policy says. */
export function silenceUnder({
  mode,
  profile,
  onSilence,
}: Pick<ResponsePolicy, 'mode' | 'profile' | 'onSilence'>): ResponsePolicy['onSilence'] {
  return mode === 'contain' && (profile === 'strict' || onSilence === 'contain') ? 'contain' : 'nothing';
}

/** Whether it is about a pod that the cell knows. */
function isBelieved({ pod, doubt }: Alert): boolean {
  return pod !== undefined && doubt === undefined;
}

function underMode(would: Response, mode: Mode): Response {
  if (mode === 'contain') return would;
  if (mode === 'ask') return would === 'contain' ? 'ask' : would;
  return would === 'contain' || would === 'ask' ? 'file' : would;
}

/** What mode `contain` does. */
function wouldDo(story: PodStory, profile: Profile): Response {
  const grounds = groundsFor(story);
  const { alert, contained } = story;
  if (!isBelieved(alert)) return withoutPod(story);
  if (isOrdered(alert) || (story.observed && !contained)) return 'contain';
  const wanted =
    profile === 'strict' ? strict(story, grounds) : profile === 'balanced' ? balanced(story, grounds) : cautious(story, grounds);
  // A pod that is cut off is asked about once: a later alert never lowers what is done, and adds no question.
  return contained && wanted === 'ask' ? 'file' : wanted;
}

/** A person of the roster has ordered it: others decide what becomes of the pod. */
function isOrdered({ requester, severity }: Alert): boolean {
  return requester !== undefined && severity === 'critical';
}

/** A subject that cannot be cut off, or a sensor's claim about one that is not believed. */
function withoutPod({ alert, confidence, novelty, isRepeated }: PodStory): Response {
  if (!novelty.isNew || isRepeated) return atLeast(alert.severity, 'medium') && novelty.isNew ? 'file' : 'watch';
  if (confidence === 'weak') return atLeast(alert.severity, 'high') ? 'file' : 'watch';
  if (confidence === 'sure' || atLeast(alert.severity, 'high')) return 'ask';
  return atLeast(alert.severity, 'medium') ? 'file' : 'watch';
}

interface Grounds {
  readonly isSure: boolean;
  readonly isSecondAct: boolean;
  readonly isCriticalAndNew: boolean;
  /** A single likely alert on a pod that can do more harm than others, or that should not run at all. */
  readonly isExposed: boolean;
}

function groundsFor(story: PodStory): Grounds {
  const { alert, confidence, novelty, together, privileged, hostAccess, signatureRefused } = story;
  const isCritical = alert.severity === 'critical';
  return {
    isSure: confidence === 'sure',
    isSecondAct: together !== undefined,
    isCriticalAndNew: isCritical && novelty.isNew && confidence !== 'weak',
    isExposed:
      novelty.isNew &&
      confidence === 'likely' &&
      (signatureRefused === true || ((privileged === true || hostAccess === true) && atLeast(alert.severity, 'high'))),
  };
}

function balanced(story: PodStory, { isSure, isSecondAct, isCriticalAndNew, isExposed }: Grounds): Response {
  const { novelty, together, rolloutUnderWay } = story;
  const harmless = (story.answeredHarmless ?? 0) >= enoughAnswers;
  // Only an operator's baseline and people's answers lower a sure rule, and then people decide.
  if (isSure) return harmless || (novelty.by === 'baseline' && story.isDecoy !== true) ? 'ask' : 'contain';
  if (isSecondAct && together === 'new') return harmless || isOfNamedPerson(story) ? 'ask' : 'contain';
  if (isCriticalAndNew || isExposed)
    return harmless ? 'file' : rolloutUnderWay === true || isOfNamedPerson(story) ? 'ask' : 'contain';
  // Other pods taught it. Whoever may start pods could have: so people still see it.
  if (isSecondAct && together === 'others') return harmless ? 'file' : 'ask';
  return withoutContainment(story, harmless);
}

function withoutContainment(story: PodStory, harmless: boolean): Response {
  const { alert, confidence, novelty, isRepeated } = story;
  if (!novelty.isNew) return alert.severity === 'critical' ? 'file' : 'watch';
  if (harmless || isRepeated) return confidence === 'weak' ? 'watch' : 'file';
  if (confidence === 'weak') return atLeast(alert.severity, 'high') ? 'file' : 'watch';
  return atLeast(alert.severity, 'high') ? 'ask' : 'file';
}

function cautious(story: PodStory, grounds: Grounds): Response {
  const asBalanced = balanced(story, grounds);
  if (asBalanced !== 'contain') return asBalanced;
  const isGrave = grounds.isSure || (grounds.isSecondAct && story.alert.severity === 'critical');
  return isGrave && story.rolloutUnderWay !== true ? 'contain' : grounds.isSure ? 'contain' : 'ask';
}

function strict(story: PodStory, grounds: Grounds): Response {
  const { alert, confidence, novelty, together } = story;
  if (alert.severity === 'critical' && confidence !== 'weak') return 'contain';
  if (grounds.isSure || grounds.isExposed) return 'contain';
  if (grounds.isSecondAct && together !== 'baseline') return 'contain';
  if (novelty.isNew && confidence === 'likely' && atLeast(alert.severity, 'high')) return 'contain';
  return balanced(story, grounds);
}

/** A person is named for an exec into the pod, and all acts are what people do there: they are asked first. An account of a program is no person. */
function isOfNamedPerson({ execBy, acts, isDebugging }: PodStory): boolean {
  return (
    execBy?.person !== undefined && isDebugging === true && acts.every((act) => act.isDebugging || act.confidence === 'weak')
  );
}

function reasonsFor(story: PodStory): readonly string[] {
  const { alert, confidence, confidenceWhy, acts, novelty, together, execBy } = story;
  const counted = acts.filter((act) => act.confidence !== 'weak');
  const answered = story.answeredHarmless ?? 0;
  const told: readonly (string | false | undefined)[] = [
    isOrdered(alert) && 'a person of the roster has ordered it',
    story.observed &&
      `${story.observed.by.join(' and ')} released it under observation at ${story.observed.at}: any alert cuts it off again`,
    story.isDecoy === true && 'a decoy was touched: nothing has a reason to',
    `${alert.severity}; the rule is ${confidence}: ${confidenceWhy}`,
    novelty.comparedWith,
    counted.length > 1 && `${ordinal(counted.length)} act within 5 minutes: ${counted.map(({ what }) => what).join(', then ')}`,
    together === 'others' && 'such acts were seen together before, on other pods or in a person’s session',
    together === 'baseline' && 'these acts are together in the baseline',
    story.signatureRefused === true && 'the signature of its image was refused',
    story.privileged === true && 'the pod is privileged',
    story.hostAccess === true && 'the pod has access to its node',
    story.rolloutUnderWay === true && 'a rollout of its workload is under way',
    story.replicas === 1 && 'it is the only pod of its workload',
    (story.ownerKind === 'Job' || story.ownerKind === 'CronJob') &&
      `it belongs to a ${story.ownerKind}: what it does ends with it`,
    story.ownerKind === 'Pod' && 'nothing starts another pod in its place',
    execBy?.person !== undefined && `${execBy.person} has opened a shell in it, by the API server's audit log`,
    execBy !== undefined &&
      execBy.person === undefined &&
      `${execBy.account} has run a command in it; that account is no person of the roster`,
    answered >= enoughAnswers && `people have answered "harmless" ${answered} times`,
    alert.doubt !== undefined && `not believed: ${alert.doubt}`,
    alert.pod === undefined && 'it is not about a pod: nothing can be cut off',
    story.contained === true && 'the pod is cut off already',
  ];
  return told.filter((one) => typeof one === 'string');
}

function ordinal(count: number): string {
  return ['second', 'third', 'fourth', 'fifth'][count - 2] ?? `${count}th`;
}
