import type { Alert, ContainerRef, ProcessRef } from '../core/alert/alert.ts';
import { mayCarryRule, ownSensor } from '../core/alert/own-alerts.ts';
import { techniqueOf } from '../core/assessment/act-kind.ts';
import type { Assessment } from '../core/assessment/response.ts';
import { answering } from '../core/playbook/answering.ts';
import type { Match, OneOrMore, Regex, TextPattern } from '../core/playbook/match.ts';
import { conditionKey } from '../core/playbook/match-alert.ts';
import { timedTexts } from '../core/playbook/match-text.ts';
import type { AnyPlaybook } from '../core/playbook/playbook.ts';
import type { ScheduledTarget } from '../core/playbook/schedule.ts';
import { isScheduled, type ScheduledPlaybook, scheduledAlert, targetOf } from '../core/playbook/scheduled-runs.ts';
import { matchesOf } from '../core/playbook/timed-conditions.ts';

/** The simulated cluster's only workload. */
const pod = { namespace: 'shop', name: 'cart-1', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' };

/**
 * Makes up an alert that a playbook answers from its envelope: critical if the envelope allows it. Undefined if that is not possible, for example if it
 * requires a regular expression that is not a list of words.
 */
export function exampleAlert(playbook: AnyPlaybook, over: Partial<Alert> = {}): Alert | undefined {
  if (isScheduled(playbook)) return { ...ofSchedule(playbook), ...over };
  const { match } = playbook.on;
  const isOfNode = match !== 'unanswered' && listOf(match.place).includes('node');
  const { pod: _, workload: __, container: ___, ...bare } = base;
  const made = match === 'unanswered' ? ofNobody(playbook) : fieldsOf(match);
  const severities = [...('severity' in made ? [made.severity] : []), 'critical', playbook.on.minSeverity] as const;
  const sensors = ['falco', ownSensor];
  const candidates = severities.flatMap((severity) =>
    sensors.map((sensor): Alert => {
      const alert = { ...(isOfNode ? bare : base), sensor, ...made, severity: severity ?? 'critical', ...over };
      return inTime({ ...alert, title: over.title ?? `${alert.rule} in ${pod.namespace}/${pod.name}` }, [playbook]);
    }),
  );
  return candidates.find((alert) => mayCarryRule(alert) && answering([playbook], alert).length > 0);
}

/** One that contains for the rest is called only if the pod is to be contained. */
function ofNobody({ contains }: AnyPlaybook): Partial<Alert> {
  const rule = 'A rule that no playbook answers';
  return contains === undefined ? { rule } : { rule, assessment: toContain };
}

const toContain: Assessment = {
  ...{ response: 'contain', pages: false, would: 'contain', wouldPage: false, onSilence: 'nothing' },
  ...{ mode: 'contain', profile: 'balanced', scope: 'every pod', reasons: [] },
};

/**
 * As if such alerts had come often enough, and nothing that was waited for: sets what only the cell can say of an alert over time. What the alert itself
 * already says of this stays.
 */
export function inTime(alert: Alert, playbooks: readonly AnyPlaybook[]): Alert {
  const matches = matchesOf(playbooks);
  const counts = matches.flatMap((match) => (match.count ? [[conditionKey(match), match.count.times] as const] : []));
  const missing = matches.flatMap((match) => (match.absent ? [conditionKey(match)] : []));
  if (counts.length === 0 && missing.length === 0) return alert;
  return { ...alert, facts: { missing, ...alert.facts, counts: { ...Object.fromEntries(counts), ...alert.facts?.counts } } };
}

/** Describes what `inTime` assumes for these playbooks; undefined if nothing. */
export function timedText(playbooks: readonly AnyPlaybook[]): string | undefined {
  const texts = matchesOf(playbooks).flatMap(timedTexts);
  return texts.length === 0 ? undefined : texts.join(', and ');
}

/** As if its time had come, about the simulated cluster's workload if no target is set. */
function ofSchedule(playbook: ScheduledPlaybook): Alert {
  const { about } = playbook.on.schedule;
  const made = about && !('pod' in about) ? workloadMade(about) : undefined;
  const target = targetOf(playbook) ?? (made ? { kind: 'workload' as const, workload: made } : { kind: 'cluster' as const });
  const alert = scheduledAlert({ playbook, cluster: base.cluster, target, due: Date.parse(base.time) });
  const { workload } = base;
  return about && 'pod' in about && workload ? { ...alert, pod, workload } : alert;
}

function workloadMade(about: Exclude<ScheduledTarget, { readonly pod: unknown }>): NonNullable<Alert['workload']> {
  const { namespace } = pod;
  return 'kind' in about ? { kind: about.kind, namespace, name: 'cart' } : { kind: 'Namespace', namespace, name: namespace };
}

const base: Omit<Alert, 'severity' | 'sensor' | 'title'> = {
  id: '0123456789abcdef0123456789abcdef',
  rule: 'Any rule',
  time: '2026-01-01T12:00:00Z',
  cluster: 'example',
  node: 'worker-1',
  pod,
  container: { name: 'cart', image: 'registry.example/shop/cart:1.4', digest: `sha256:${'1'.repeat(64)}` },
  workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
  process: { name: 'sh', exe: '/bin/sh', commandLine: 'sh -c id', user: 'app' },
  observables: [],
  tags: [],
  mitre: [],
};

function fieldsOf({ any = [], all = [], ...match }: Match): Partial<Alert> {
  const inner: Partial<Alert> = Object.assign({}, ...[...all, ...any.slice(0, 1)].map(fieldsOf));
  const rule = textOf(match.rule);
  const sensor = textOf(match.sensor);
  const [severity] = listOf(match.severity);
  const tag = textOf(match.tag);
  const [act] = listOf(match.act);
  const technique = listOf(match.technique)[0] ?? (act && techniqueOf(act));
  // A policy of this name, where no technique tells or a policy is asked for.
  const policy =
    act !== undefined && (technique === undefined || sensor !== undefined) ? { sensor: sensor ?? 'kubearmor', rule: act } : {};
  const namespace = textOf(match.namespace);
  const workload = { kind: textOf(match.workload?.kind), name: textOf(match.workload?.name) };
  const labels = Object.entries(match.labels ?? {}).map(([name, value]) => [name, textOf(value) ?? ''] as const);
  const { registry = 'registry.example', repository = 'shop/cart', tag: imageTag = '1.4', digest } = textsOf(match.image);
  const { name, path, arguments: words, parent, user } = textsOf(match.process);
  const process: ProcessRef = {
    ...base.process,
    ...(name !== undefined && { name }),
    ...(path !== undefined && { exe: path }),
    ...(words !== undefined && { commandLine: words }),
    ...(parent !== undefined && { parent }),
    ...(user !== undefined && { user }),
  };
  const container: ContainerRef = {
    ...base.container,
    image: `${registry}/${repository}:${imageTag}`,
    ...(digest !== undefined && { digest }),
  };
  return {
    ...inner,
    ...policy,
    ...(rule !== undefined && { rule }),
    ...(sensor !== undefined && { sensor }),
    ...(severity !== undefined && { severity }),
    ...(tag !== undefined && { tags: [tag] }),
    ...(technique !== undefined && { mitre: [technique] }),
    ...(namespace !== undefined && { pod: { ...pod, namespace }, workload: { kind: 'Deployment', namespace, name: 'cart' } }),
    ...((workload.kind !== undefined || workload.name !== undefined) && {
      workload: { kind: workload.kind ?? 'Deployment', namespace: namespace ?? 'shop', name: workload.name ?? 'cart' },
    }),
    ...((labels.length > 0 || match.novel !== undefined) && {
      facts: {
        ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
        ...(match.novel !== undefined && {
          novelty: { state: 'novel', amongPeers: true, text: 'First time in 30 days that sh runs id in shop/cart.' } as const,
        }),
      },
    }),
    ...(match.image && { container }),
    ...(match.process && { process }),
  };
}

function textsOf(fields: object = {}): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, textOf(value)]));
}

/** A text that the pattern matches; undefined for a regular expression, and if nothing is required. */
function textOf(wanted: OneOrMore<TextPattern> | undefined): string | undefined {
  const texts = listOf(wanted).flatMap((pattern) => {
    if (typeof pattern === 'string') return [pattern];
    return 'glob' in pattern ? [pattern.glob.replaceAll('*', 'x').replaceAll('?', 'x')] : wordIn(pattern);
  });
  return texts[0];
}

/** A regular expression that is a list of words is matched by the first of them. */
function wordIn({ regex }: Regex): readonly string[] {
  const [word = ''] = regex.replaceAll(/\\b|[\^$]/g, '').split('|');
  return /^[\w -]+$/.test(word) ? [word] : [];
}

function listOf<T>(wanted: OneOrMore<T> | undefined): readonly T[] {
  if (wanted === undefined) return [];
  return Array.isArray(wanted) ? wanted : [wanted as T];
}
