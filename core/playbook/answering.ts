import type { Alert } from '../alert/alert.ts';
import { mayCarryRule, ownSensor } from '../alert/own-alerts.ts';
import { atLeast } from '../alert/severity.ts';
import { sha256Hex } from '../text/digest.ts';
import type { Match, MatchPer } from './match.ts';
import { exactRules, matchAlert } from './match-alert.ts';
import { MatchIndex } from './match-index.ts';
import type { AnyPlaybook } from './playbook.ts';

/** Whether the envelope asks for this alert. A rule of Firebreak's own counts only from Firebreak: no sensor gives a person's order. */
export function matches(playbook: AnyPlaybook, alert: Alert): boolean {
  const { match } = playbook.on;
  return match !== 'unanswered' && mayCarryRule(alert) && isMeant(playbook, alert) && matchAlert(match, alert) === true;
}

/** All that the envelope asks besides its match. */
function isMeant(playbook: AnyPlaybook, alert: Alert): boolean {
  const { match } = playbook.on;
  if (match === 'unanswered' || !concerns(playbook, alert)) return false;
  // That the time of one has come is for that one alone.
  if (playbook.on.schedule || alert.scheduledFor !== undefined)
    return playbook.on.schedule !== undefined && alert.scheduledFor === playbook.id;
  // What a person has ordered is for the playbook of that order, and not for whatever answers all of a severity or a namespace.
  return alert.sensor !== ownSensor || exactRules(match)?.has(alert.rule) === true;
}

/** Places in a list of playbooks by what an alert says, those of most priority first. Made once for each list: whoever asks does so for every alert. */
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

/** Those whose envelope asks for this alert, the ones of most priority first, and in the order of the list among equals. */
export function matching<P extends AnyPlaybook>(playbooks: readonly P[], alert: Alert): readonly P[] {
  if (!mayCarryRule(alert)) return [];
  const found: P[] = [];
  for (const place of placesFor(playbooks, alert)) {
    const playbook = playbooks[place];
    if (playbook && isMeant(playbook, alert)) found.push(playbook);
  }
  return found;
}

/**
 * Those of the enabled playbooks that answer this alert, the ones of most priority first: where no other does, the ones for what is unanswered, unless it
 * only has not come often enough yet.
 * The list is looked through once: another one is asked about by another list.
 */
export function answering<P extends AnyPlaybook>(playbooks: readonly P[], alert: Alert): readonly P[] {
  const answers = matching(playbooks, alert);
  if (answers.length === 0)
    return alert.countedFor || alert.againFor
      ? []
      : playbooks.filter(({ on }) => on.match === 'unanswered').filter((one) => concerns(one, alert));
  const alone = answers.find(({ exclusive }) => exclusive === true);
  const left = alone ? answers.filter((one) => priorityOf(one) >= priorityOf(alone)) : answers;
  const { againFor } = alert;
  return againFor ? left.filter(({ id }) => againFor.includes(id)) : left;
}

function priorityOf({ priority = 0 }: AnyPlaybook): number {
  return priority;
}

/** Whether a playbook is made for alerts of this rule, whether or not it can do anything about this one. */
export function isFor(playbook: AnyPlaybook, { rule, sensor }: Alert): boolean {
  const { match } = playbook.on;
  return match !== 'unanswered' && asksForRule(match) && matchAlert(match, { rule, sensor }) !== false;
}

/** One of all severities or namespaces is for no rule. */
function asksForRule({ rule, all = [], any = [] }: Match): boolean {
  return rule !== undefined || [...all, ...any].some(asksForRule);
}

function concerns(playbook: AnyPlaybook, alert: Alert): boolean {
  if (!atLeast(alert.severity, playbook.on.minSeverity)) return false;
  return playbook.on.requires.every((need) => (need === 'pod' ? alert.pod?.uid !== undefined : alert[need] !== undefined));
}

/** What a body runs once for: the pod's uid, the workload or the node; where the playbook is for all rules, each rule of it. */
export function subjectKeyOf(playbook: AnyPlaybook, alert: Alert): string {
  const subject = keyOfSubject(playbook.per ?? 'pod', alert);
  return playbook.on.match === 'unanswered' ? `${subject}/rule:${sha256Hex(alert.rule).slice(0, 16)}` : subject;
}

/** What is counted, waited for or run once together. */
export function keyOfSubject(per: MatchPer, { pod, workload, node, apiRequest }: Alert): string {
  if (per === 'cluster') return 'cluster';
  if (per === 'account' && apiRequest) return `account:${apiRequest.account}`;
  if (per === 'node' && node !== undefined) return `node:${node}`;
  if (per === 'pod' && pod) return `pod:${pod.uid ?? `${pod.namespace}/${pod.name}`}`;
  if (workload) return `workload:${workload.kind}/${workload.namespace}/${workload.name}`;
  return pod ? `pod:${pod.uid ?? `${pod.namespace}/${pod.name}`}` : `node:${node ?? 'unknown'}`;
}
