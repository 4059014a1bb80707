import { defaultGuardrails } from '../core/action/guardrail.ts';
import type { IncidentSettings } from '../core/action/step.ts';
import type { Alert } from '../core/alert/alert.ts';
import { Assessor } from '../core/assessment/assessor.ts';
import { HeldBack } from '../core/assessment/held-back.ts';
import { defaultResponse, mayBeWritten, policyFor } from '../core/assessment/policy.ts';
import type { Assessment } from '../core/assessment/response.ts';
import { playbookConfidences } from '../core/assessment/rule-confidence.ts';
import { factsIn, PodStories } from '../core/assessment/stories.ts';
import type { Level } from '../core/decide/approval.ts';
import type { AlertBatch } from '../core/incident/incident.ts';
import type { Roster } from '../core/people/roster.ts';
import { answering } from '../core/playbook/answering.ts';
import { durationMs } from '../core/playbook/duration.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import type { Chooser, SimulateOptions } from './chooser.ts';
import { rosterFor } from './people.ts';
import { sampleOutputs } from './sample-output.ts';
import type { SimulatedCall } from './simulated-actions.ts';
import { evidenceDeadlineMs, SimulatedCell, simulatedCellKey } from './simulated-cell.ts';
import type { StoryTeller } from './story-teller.ts';

/** Maximum duration that anything is observed. */
export const mostMs = 30 * 86_400_000;

/** As `guardrails.capWindowMinutes` is if nothing is configured. */
const capWindowMs = 60 * 60_000;

const shippedLevels: readonly Level[] = [
  { group: 'oncall', withinMs: 15 * 60_000, page: true },
  { group: 'leads', withinMs: 60 * 60_000, page: true },
];

/** What is made up around the engine, wherever it runs: the cell with its cluster, the people, and what an incident receives at its start. */
export interface Stage {
  readonly cell: SimulatedCell;
  readonly roster: Roster;
  readonly settings: IncidentSettings;
}

export function createStage(parts: {
  readonly playbooks: readonly ListedPlaybook[];
  readonly options: SimulateOptions;
  readonly chooser: Chooser;
  readonly teller: StoryTeller;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly takes: (action: string) => Promise<void>;
  /** Waits for work outside the simulation. */
  readonly outside: <T>(work: Promise<T>) => Promise<T>;
  readonly queue: string;
}): Stage {
  const { playbooks, options, chooser, teller, now, takes, outside, queue } = parts;
  const { alert, levels: given, guardrails, replicas, params = {}, plans = {}, named = [] } = options;
  const response = { ...defaultResponse, ...options.response };
  const levels = levelsIn(given);
  const roster = rosterFor(playbooks, levels, named);
  const injected = new Set<string>();
  const times = new Map<string, number>();
  const nth = ({ action }: SimulatedCall, what: string): number => {
    const key = `${action} ${what}`;
    const next = (times.get(key) ?? 0) + 1;
    times.set(key, next);
    return next;
  };
  const cell: SimulatedCell = new SimulatedCell({
    playbooks,
    roster,
    levels,
    guardrails,
    response,
    alert,
    replicas,
    cluster: {
      now,
      contained: new Map(),
      takes,
      failureOf: (call) => {
        const failure = chooser.failure(call, nth(call, call.does));
        if (failure) injected.add(call.key);
        return failure;
      },
      wasInjected: (key) => injected.has(key),
      outputOf: (call) =>
        chooser.output(call, sampleOutputs(call.action, call.input, cell.declarationOf(call.action)), nth(call, 'output')),
      planOf: (action, input) => {
        const plan = plans[action] ?? {};
        return typeof plan === 'function' ? outside(Promise.resolve(plan(input))) : plan;
      },
    },
    events: {
      planned: (plan) => teller.planned(now(), plan),
      stepped: (step) => teller.stepped(now(), step),
    },
  });
  return {
    cell,
    roster,
    settings: {
      queues: { cell: queue, desk: queue, secrets: queue, forensics: queue, packs: queue },
      playbooks: playbooks.map(({ id }) => id),
      levels,
      evidenceDeadlineMs,
      lingerMs: 0,
      maxBodies: 8,
      params: Object.fromEntries(playbooks.map(({ id }) => [id, params])),
      ...(!mayBeWritten(response, { cluster: alert.cluster, namespace: alert.pod?.namespace, namespaceLabels: {} }) && {
        observed: true as const,
      }),
    },
  };
}

/**
 * All alerts that come, each this many milliseconds after the first, and assessed as a cell does. An assessment that is given stays.
 * @param beganMs when the first arrives by the clock of the cell, milliseconds since 1970
 */
export function alertsOf(
  playbooks: readonly ListedPlaybook[],
  { alert, more = [], own, response, guardrails, replicas, levels }: SimulateOptions,
  beganMs = Date.parse(alert.receivedAt ?? alert.time),
): readonly { readonly alert: Alert; readonly after: number }[] {
  const all = [{ alert, after: 0 }, ...more.map((one) => ({ alert: one.alert, after: durationMs(one.after) }))];
  const rules = { ...defaultResponse, ...response };
  const ofIncidents = levelsIn(levels);
  const assessor = new Assessor({
    stories: new PodStories({ own: [...(own ?? []), ...playbookConfidences(playbooks)] }),
    policyOf: (one) =>
      policyFor(rules, {
        cluster: one.cluster,
        namespace: one.pod?.namespace,
        workloadLabels: one.facts?.labels,
        playbooks: answering(playbooks, one).map(({ id }) => id),
      }),
    key: simulatedCellKey,
    heldBack: new HeldBack({
      rules: { ...defaultGuardrails, ...guardrails },
      windowMs: capWindowMs,
      playbooksOf: (one) => answering(playbooks, one),
      levels: ofIncidents,
      podsOf: () => replicas,
      held: () => [],
    }),
  });
  return all.map(({ alert: one, after }) => {
    const assessed = assessor.assessed(one, { nowMs: beganMs + after, facts: factsIn(one) });
    return { alert: one.assessment ? { ...one, assessment: resealed(assessor, one, one.assessment, beganMs) } : assessed, after };
  });
}

/** Another cell's confirmation counts for nothing here. */
function resealed(assessor: Assessor, alert: Alert, { seal: _, ...assessment }: Assessment, atMs: number): Assessment {
  return assessor.sealed(alert, assessment, atMs);
}

function levelsIn(given: SimulateOptions['levels']): readonly Level[] {
  return given?.map(({ within, ...level }) => ({ ...level, withinMs: durationMs(within) })) ?? shippedLevels;
}

export function batchOf(alert: Alert, index: number): AlertBatch {
  const seen = alert.receivedAt ?? alert.time;
  return {
    id: `simulated-${index}`,
    alerts: [alert],
    counts: [
      {
        rule: alert.rule,
        severity: alert.severity,
        ...(alert.pod && { pod: `${alert.pod.namespace}/${alert.pod.name}` }),
        count: 1,
        firstSeen: seen,
        lastSeen: seen,
      },
    ],
  };
}
