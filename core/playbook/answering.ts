import type { Alert } from '../alert/alert.ts';
import { mayCarryRule, ownSensor } from '../alert/own-alerts.ts';
import { atLeast } from '../alert/severity.ts';
import { actKindOf } from '../assessment/act-kind.ts';
import { sha256Hex } from '../text/digest.ts';
import type { Match, MatchPer } from './match.ts';
import { exactRules, matchAlert } from './match-alert.ts';
import { MatchIndex } from './match-index.ts';
import type { AnyPlaybook } from './playbook.ts';

/** Whether the envelope matches this alert. Firebreak's own rules count only from Firebreak itself: a sensor cannot give a person's order. */
export function matches(playbook: AnyPlaybook, alert: Alert): boolean {
  const { match } = playbook.on;
  return match !== 'unanswered' && mayCarryRule(alert) && isMeant(playbook, alert) && matchAlert(match, alert) === true;
}

/** Everything that the envelope requires besides its match. */
function isMeant(playbook: AnyPlaybook, alert: Alert): boolean {
  const { match } = playbook.on;
  if (match === 'unanswered' || !concerns(playbook, alert)) return false;
  // An alert that a schedule is due is only for that one playbook.
  if (playbook.on.schedule || alert.scheduledFor !== undefined)
    return playbook.on.schedule !== undefined && alert.scheduledFor === playbook.id;
  // A person's order is for the playbook of that order, not for playbooks that answer a whole severity or namespace.
  return alert.sensor !== ownSensor || exactRules(match)?.has(alert.rule) === true;
}

/** Indexes into a list of playbooks by what an alert says, highest priority first. Built once per list, because it is used for every alert. */
const known = new WeakMap<readonly AnyPlaybook[], MatchIndex<number>>();

function placesFor(playbooks: readonly AnyPlaybook[], alert: Alert): readonly number[] {
  let places = known.get(playbooks);
  if (!places) {
    places = new MatchIndex();
    const ranked = [...playbooks.entries()].sort(([, a], [, b]) => priorityOf(b) - priorityOf(a));
    for (const [place, { on }] of ranked) if (on.match !== 'unanswered') places.add(place, on.match);
    known.set(playbooks, places);
  }
  return places.of(alert);
}

/** The lists that a list was chosen from. */
const origins = new WeakMap<readonly AnyPlaybook[], readonly (readonly AnyPlaybook[])[]>();

/**
 * The chosen playbooks of some lists. Only the lists themselves are indexed: if many choose from the same ones, as incidents do, the index is built and kept
 * once, not for each.
 */
export function chosenFrom<P extends AnyPlaybook>(
  lists: readonly (readonly P[])[],
  isChosen: (playbook: P) => boolean,
): readonly P[] {
  const chosen = lists.flatMap((list) => list.filter(isChosen));
  origins.set(chosen, lists);
  return chosen;
}

/** The playbooks whose envelope matches this alert, highest priority first, and in list order among equals. */
export function matching<P extends AnyPlaybook>(playbooks: readonly P[], alert: Alert): readonly P[] {
  if (!mayCarryRule(alert)) return [];
  const lists = origins.get(playbooks);
  if (lists) {
    const among = new Set(lists.flatMap((list) => placesFor(list, alert).map((place) => list[place])));
    return playbooks.filter((one) => among.has(one) && isMeant(one, alert)).sort((a, b) => priorityOf(b) - priorityOf(a));
  }
  const found: P[] = [];
  for (const place of placesFor(playbooks, alert)) {
    const playbook = playbooks[place];
    if (playbook && isMeant(playbook, alert)) found.push(playbook);
  }
  return found;
}

/**
 * The enabled playbooks that answer this alert, highest priority first. If no other answers, those for unanswered alerts do, unless the alert merely has not
 * come often enough yet. If its pod is to be contained and none of them has a say in that, those that contain for the rest answer, too. Each list is indexed
 * once: to ask about other playbooks, pass another list.
 */
export function answering<P extends AnyPlaybook>(playbooks: readonly P[], alert: Alert): readonly P[] {
  const answers = madeFor(playbooks, alert);
  const isToContain = wouldBeContained(alert) && !answers.some(decidesOnContaining);
  if (answers.length > 0 && !isToContain) return answers;
  const rest = playbooks.filter((one) => one.on.match === 'unanswered' && concerns(one, alert));
  const containing = isToContain ? rest.filter(({ contains }) => contains !== undefined) : [];
  if (answers.length > 0 || containing.length > 0) return [...answers, ...containing];
  return alert.countedFor || alert.againFor ? [] : rest.filter(({ contains }) => contains === undefined);
}

/** Whether mode `contain` cuts its pod off. One that is delivered again for a playbook has been answered before; Firebreak's own are for playbooks that name them. */
function wouldBeContained(alert: Alert): boolean {
  const { assessment, againFor, sensor } = alert;
  return assessment?.would === 'contain' && againFor === undefined && sensor !== ownSensor && mayCarryRule(alert);
}

/** Whether the author has said when the pod is contained: at once, or after the evidence is kept. */
function decidesOnContaining({ contains, evidenceFirst }: AnyPlaybook): boolean {
  return contains !== undefined || evidenceFirst !== undefined;
}

function madeFor<P extends AnyPlaybook>(playbooks: readonly P[], alert: Alert): readonly P[] {
  const answers = matching(playbooks, alert);
  const alone = answers.find(({ exclusive }) => exclusive === true);
  const left = alone ? answers.filter((one) => priorityOf(one) >= priorityOf(alone)) : answers;
  const { againFor } = alert;
  return againFor ? left.filter(({ id }) => againFor.includes(id)) : left;
}

function priorityOf({ priority = 0 }: AnyPlaybook): number {
  return priority;
}

/** Tells whether an alert calls for one of these playbooks that is made for it, or has begun to count for one. What takes the rest does not answer it. */
export function answeredBy(playbooks: readonly AnyPlaybook[]): (alert: Alert) => boolean {
  const made = new Set(playbooks.filter(({ on }) => on.match !== 'unanswered').map(({ id }) => id));
  return ({ sensor, calls = [], countedFor = [] }) =>
    sensor === ownSensor || [...calls, ...countedFor].some((id) => made.has(id));
}

/** Whether a playbook is made for alerts of this rule, even if it can do nothing about this one. */
export function isFor(playbook: AnyPlaybook, alert: Alert): boolean {
  const { rule, sensor } = alert;
  const { match } = playbook.on;
  return (
    match !== 'unanswered' && asksForRule(match) && matchAlert(match, { rule, sensor, act: actKindOf(alert) ?? 'none' }) !== false
  );
}

/** A match for all severities or namespaces is not for a particular rule. */
function asksForRule({ rule, act, all = [], any = [] }: Match): boolean {
  return rule !== undefined || act !== undefined || [...all, ...any].some(asksForRule);
}

function concerns(playbook: AnyPlaybook, alert: Alert): boolean {
  if (!atLeast(alert.severity, playbook.on.minSeverity)) return false;
  return playbook.on.requires.every((need) => (need === 'pod' ? alert.pod?.uid !== undefined : alert[need] !== undefined));
}

/** What a body runs once for: the pod's uid, the workload or the node; if it is asked about each rule that nobody answers, once for each rule of it. */
export function subjectKeyOf(playbook: AnyPlaybook, alert: Alert): string {
  const subject = keyOfSubject(playbook.per ?? 'pod', alert);
  return playbook.on.match === 'unanswered' && playbook.contains === undefined
    ? `${subject}/rule:${sha256Hex(alert.rule).slice(0, 16)}`
    : subject;
}

/** The key by which alerts are counted, awaited or handled together. */
export function keyOfSubject(per: MatchPer, { pod, workload, node, apiRequest }: Alert): string {
  if (per === 'cluster') return 'cluster';
  if (per === 'account' && apiRequest) return `account:${apiRequest.account}`;
  if (per === 'node' && node !== undefined) return `node:${node}`;
  if (per === 'pod' && pod) return `pod:${pod.uid ?? `${pod.namespace}/${pod.name}`}`;
  if (workload) return `workload:${workload.kind}/${workload.namespace}/${workload.name}`;
  return pod ? `pod:${pod.uid ?? `${pod.namespace}/${pod.name}`}` : `node:${node ?? 'unknown'}`;
}
