import { imagesLine, signatureStates } from '../../../core/action/image-signature.ts';
import { actions } from '../../../core/actions/index.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { isSeverity } from '../../../core/alert/severity.ts';
import { type AlertArchive, alertsIn, sealedAt, vouchedFor } from '../../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { checkChain, provenOf } from '../../../core/audit/audit-check.ts';
import type { AuditStore, StoredChain } from '../../../core/audit/audit-store.ts';
import { removedNumbers } from '../../../core/audit/record-removals.ts';
import { sureness } from '../../../core/cards/card-words.ts';
import type {
  AlertSample,
  ConsoleQuestion,
  ShownAlerts,
  ShownBlastRadius,
  ShownIncident,
  ShownLease,
  ShownRecords,
  ShownStep,
  TimelineRecord,
} from '../../../core/console/console.schema.ts';
import { chainOf, type IncidentSummary, listedOf } from '../../../core/console/incident-summary.ts';
import { assessmentsOf } from '../../../core/console/shown-assessments.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { isOver, silenceOnLease } from '../../../core/incident/lease.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { personBySlackId, type Roster } from '../../../core/people/roster.ts';
import { spelt } from '../../../core/text/object-name.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { personNames } from '../../incidents/names.ts';
import { orderedRemovals } from '../../records/removals.ts';
import { pastQuestionsOf } from './past-questions.ts';

const mostInTimeline = 1_000;
const mostSampleRecords = 5;
const mostSamples = 20;
const mostFindings = 20;

const titles: ReadonlyMap<string, string> = new Map(actions.map(({ name, title }) => [name, title]));

function titleOf(action: string): string {
  return titles.get(action) ?? spelt(action);
}

export interface ReadChain {
  readonly stored: StoredChain;
  /** Proven to come from the incident's cell, in order. */
  readonly records: readonly AuditRecord[];
  readonly proof: ShownRecords['proof'];
}

/** Returns all records of one incident, and whether they are complete. */
export async function readChain(
  store: Pick<AuditStore, 'storedChain' | 'eachOfKinds'>,
  trust: Trust,
  chain: string,
): Promise<ReadChain> {
  const stored = await store.storedChain(chain);
  const removals = stored.records.some(({ signed }) => signed?.removed !== undefined) ? await orderedRemovals(store, trust) : [];
  const removed = removedNumbers(removals).get(chain) ?? new Set();
  const { findings, genuine } = checkChain({ chain, stored, stated: [], trust, removals: removed });
  const { records, leftOut } = provenOf(stored.records, trust);
  return {
    stored,
    records: [...records].sort((a, b) => a.number - b.number),
    proof: {
      whole: findings.length === 0 && genuine.length === stored.records.length,
      findings: findings.slice(0, mostFindings).map(({ text }) => text),
      stored: stored.records.length,
      leftOut,
      head: /^[0-9a-f]{64}$/.test(stored.head?.hash ?? '') ? (stored.head?.hash ?? null) : null,
    },
  };
}

export function shownRecords({ stored, proof }: ReadChain, trust: Trust): ShownRecords {
  const proven = new Set(provenOf(stored.records, trust).records.map(({ number }) => number));
  return {
    proof,
    records: stored.records.flatMap(({ signed, previous, hash }) => {
      if (!signed || !proven.has(signed.record.number)) return [];
      const { number, at, kind, actor, body } = signed.record;
      return [{ number, at, kind, actor, body: { ...body }, keyId: signed.keyId, signature: signed.signature, previous, hash }];
    }),
  };
}

/**
 * One incident for the console. What happened comes from its records, which prove themselves; what is in force now comes from the incident itself, if it
 * answers.
 */
export function shownIncidentOf(parts: {
  readonly summary: IncidentSummary;
  readonly chain: ReadChain;
  readonly state: IncidentState | undefined;
  readonly asked: { readonly all: readonly ConsoleQuestion[]; readonly leases: ReadonlyMap<string, string> };
  readonly samples: readonly AlertSample[];
  readonly deadlines: readonly string[];
  readonly roster: Roster;
  readonly links: { readonly thread: string | undefined; readonly temporal: string | undefined };
}): ShownIncident {
  const { summary, chain, state, asked, samples, deadlines, roster, links } = parts;
  const questions = asked.all;
  const { records, proof } = chain;
  const steps = stepsOf(records, state);
  const verdictWhy = state?.verdictWhy ?? textOf(records.findLast(({ kind }) => kind === 'incident.verdict'));
  return {
    incident: listedOf(summary),
    live: state !== undefined,
    verdictWhy: verdictWhy ?? null,
    timeline: records.slice(-mostInTimeline).map((record) => timelineOf(record, roster)),
    steps,
    leases: (state?.leases ?? []).map((lease): ShownLease => {
      const { id, action, target, startedAt, until, renewals, refused } = lease;
      const step = state?.steps.find(({ key }) => key === lease.stepKey)?.state ?? 'running';
      return {
        id,
        action,
        title: titleOf(action),
        target: target.name,
        state: lease.state,
        sure: isOver(lease.state) ? null : sureness[step],
        isProven: !isOver(lease.state) && step === 'verified',
        startedAt: new Date(startedAt).toISOString(),
        until: lease.state === 'active' ? new Date(until).toISOString() : null,
        renewals,
        refused: refused ? { why: refused.why, nextAt: new Date(refused.nextAt).toISOString() } : null,
        onSilence: silenceOnLease(lease),
        question: asked.leases.get(id) ?? null,
      };
    }),
    alerts: alertsOf(records, state),
    assessments: assessmentsOf(records),
    samples: [...samples],
    blastRadius: blastRadiusOf(steps, state, questions),
    posture: postureOf(records),
    deadlines: [...deadlines],
    evidence: (state?.evidence ?? []).map(({ manifestSha256, target, artefacts }) => ({
      manifest: manifestSha256,
      target: target.name,
      artefacts: artefacts.map(({ name, sha256, bytes, partial }) => ({ name, sha256, bytes, partial: partial ?? null })),
      command: `firebreak evidence get ${manifestSha256} --out evidence --as YOU --key YOUR-KEY.pem --reason "…"`,
    })),
    questions: [...questions],
    pastQuestions: pastQuestionsOf(records, roster),
    tickets: (state?.tickets ?? []).map(({ id, url }) => ({ id: id ?? null, url: httpLink(url) })),
    thread: httpLink(links.thread),
    temporal: httpLink(links.temporal),
    proof,
  };
}

/** Returns an address only if a browser may follow it: no `javascript:`. */
function httpLink(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : null;
}

/** From its record, which the cell has signed. */
function postureOf(records: readonly AuditRecord[]): string[] {
  const found = records.find(({ kind }) => kind === 'posture.found');
  const lines = found && Array.isArray(found.body.lines) ? found.body.lines : [];
  return lines.length === 0 ? [] : [...lines.filter((line) => typeof line === 'string'), imagesLine(checkedImages(records))];
}

/** The latest result for each image of a container, from the steps that checked them. */
function checkedImages(records: readonly AuditRecord[]): readonly ShownCheck[] {
  const checks = new Map<string, ShownCheck>();
  for (const { kind, body } of records) {
    const output = kind === 'step.applied' && body.action === 'verifyImage' ? body.output : undefined;
    for (const one of isObject(output) && Array.isArray(output.images) ? output.images : []) {
      const check = checkIn(one);
      if (check) checks.set(`${check.container} ${isObject(one) ? one.image : ''}`, check);
    }
  }
  return [...checks.values()];
}

type ShownCheck = Parameters<typeof imagesLine>[0][number];

function checkIn(value: unknown): ShownCheck | undefined {
  if (!isObject(value)) return undefined;
  const { container, signature, by, reason } = value;
  const state = signatureStates.find((one) => one === signature);
  if (typeof container !== 'string' || !state) return undefined;
  const names = Array.isArray(by) ? by.filter((one) => typeof one === 'string') : [];
  return { container, signature: state, by: names, ...(typeof reason === 'string' && { reason }) };
}

function textOf(record: AuditRecord | undefined): string | undefined {
  return typeof record?.body.text === 'string' ? record.body.text : undefined;
}

function timelineOf(record: AuditRecord, roster: Roster): TimelineRecord {
  const { number, at, kind, actor, body } = record;
  const plan = isObject(body.plan) ? body.plan : undefined;
  const target = [body.target, isObject(plan?.target) ? plan.target.name : undefined].find((one) => typeof one === 'string');
  const action = [body.action, plan?.action].find((one) => typeof one === 'string');
  return {
    number,
    at,
    kind,
    actor: actorOf(actor, roster),
    text: textOf(record) ?? '',
    action: typeof action === 'string' ? action : null,
    target: typeof target === 'string' ? target : null,
  };
}

function actorOf(actor: string, roster: Roster): TimelineRecord['actor'] {
  const nameOf = personNames(roster);
  const parts = actor.split(',').map((one) => one.split('/'));
  const [kind = '', ...rest] = parts[0] ?? [];
  const name = rest.join('/');
  if (kind === 'person') return { kind, name: parts.map(([, ...id]) => nameOf(id.join('/'))).join(', ') };
  if (kind === 'slack') return { kind: 'person', name: personBySlackId(roster, name)?.name ?? name };
  if (kind === 'playbook' || kind === 'sensor') return { kind, name };
  return kind === 'engine' ? { kind, name: 'Firebreak' } : { kind: 'other', name: actor };
}

/** Steps from the records, which have the plan and how it was reviewed, overlaid with the incident's current state. */
function stepsOf(records: readonly AuditRecord[], state: IncidentState | undefined): ShownStep[] {
  const steps = new Map<string, ShownStep>();
  for (const { kind, at, actor, body } of records) {
    const key = body.step;
    if (typeof key !== 'string') continue;
    const playbook = actor.replace(/^playbook\//, '');
    const known = steps.get(key);
    if (kind === 'step.applied' && isObject(body.plan)) {
      const { plan } = body;
      const action = String(body.action ?? plan.action);
      const target = isObject(plan.target) ? String(plan.target.name) : '';
      const changes = Array.isArray(plan.changes) ? plan.changes.filter(isObject) : [];
      const effect = plan.effect === 'read' || plan.effect === 'reversible' || plan.effect === 'destructive' ? plan.effect : null;
      steps.set(key, {
        ...{ key, playbook, action, title: titleOf(action), target, effect },
        ...{ state: 'applied', detail: String(body.text ?? ''), startedAt: at, endedAt: at, proof: known?.proof ?? [] },
        changes: changes.map((change) => ({ target: String(change.target), what: String(change.what) })),
      });
    } else if (kind === 'step.failed' || kind === 'step.unavailable') {
      const action = String(body.action);
      steps.set(key, {
        ...{ key, playbook, action, title: titleOf(action), target: String(body.target), effect: null },
        state: kind === 'step.failed' ? 'failed' : 'skipped',
        ...{ detail: String(body.text ?? ''), startedAt: at, endedAt: at, proof: [], changes: [] },
      });
    } else if (kind === 'step.checked' && known && isObject(body.verification)) {
      const { verification } = body;
      const seen = { at, state: String(verification.state), detail: String(verification.detail ?? '') };
      steps.set(key, { ...known, state: stateOf(verification.state) ?? known.state, proof: [...known.proof, seen] });
    } else if (kind === 'effect.checked' && known) {
      steps.set(key, { ...known, proof: [...known.proof, { at, state: 'effect', detail: String(body.text ?? '') }] });
    }
  }
  for (const step of state?.steps ?? []) {
    const known = steps.get(step.key);
    const { key, playbook, action, target, startedAt, endedAt } = step;
    steps.set(key, {
      ...{ key, playbook, action, title: titleOf(action), target, effect: known?.effect ?? null },
      ...{ state: step.state, detail: step.detail, startedAt, endedAt: endedAt ?? null },
      ...{ proof: known?.proof ?? [], changes: known?.changes ?? [] },
    });
  }
  return [...steps.values()];
}

function stateOf(value: unknown): ShownStep['state'] | undefined {
  return value === 'applied' || value === 'verified' || value === 'unverified' || value === 'partial' || value === 'failed'
    ? value
    : undefined;
}

function alertsOf(records: readonly AuditRecord[], state: IncidentState | undefined): ShownAlerts[] {
  if (state)
    return state.counts.map(({ rule, severity, pod, count, firstSeen, lastSeen }) => ({
      ...{ rule, severity, pod: pod ?? null, count, firstSeen, lastSeen },
    }));
  const found = new Map<string, ShownAlerts>();
  for (const { at, body } of records)
    for (const one of Array.isArray(body.counts) ? body.counts.filter(isObject) : []) {
      const { rule, severity, pod, count } = one;
      if (typeof rule !== 'string' || typeof count !== 'number' || !isSeverity(severity)) continue;
      const named = typeof pod === 'string' ? pod : null;
      const known = found.get(`${rule}\n${named}`);
      const total = (known?.count ?? 0) + count;
      found.set(`${rule}\n${named}`, {
        rule,
        severity,
        pod: named,
        count: total,
        firstSeen: known?.firstSeen ?? at,
        lastSeen: at,
      });
    }
  return [...found.values()];
}

const inForce: ReadonlySet<string> = new Set(['active', 'permanent', 'releasing']);

function blastRadiusOf(
  steps: readonly ShownStep[],
  state: IncidentState | undefined,
  questions: readonly ConsoleQuestion[],
): ShownBlastRadius {
  type Touched = ShownBlastRadius['objects'][number];
  const rank: Readonly<Record<Touched['state'], number>> = { cut: 3, changed: 2, planned: 1, reaches: 0 };
  const objects = new Map<string, Touched>();
  const touch = (name: string, how: Touched['state'], by: string | undefined): void => {
    if (name === '') return;
    const known = objects.get(name);
    const stands = known && rank[known.state] > rank[how] ? known.state : how;
    const all = new Set([...(known?.by ?? []), ...(by === undefined ? [] : [by])]);
    objects.set(name, { name, kind: name.split('/')[0] ?? '', state: stands, by: [...all] });
  };
  for (const { state: now, effect, target, title } of steps)
    if (effect !== 'read' && effect !== null && now !== 'failed' && now !== 'undone') touch(target, 'changed', title);
  for (const { state: now, target, action } of state?.leases ?? [])
    if (inForce.has(now)) touch(target.name, 'cut', titleOf(action));
  for (const { state: now, choices } of questions)
    if (now === 'open')
      for (const { blastRadius, label } of choices) for (const name of blastRadius) touch(name, 'planned', label);
  const left = state?.questions.findLast(({ answerers }) => answerers?.left)?.answerers?.left;
  const namespace = left?.workload.split('/')[1] ?? '';
  for (const name of left?.services ?? []) touch(`service/${namespace}/${name}`, 'reaches', undefined);
  for (const name of left?.secrets ?? []) touch(`secret/${namespace}/${name}`, 'reaches', undefined);
  for (const name of left?.budgets ?? []) touch(`poddisruptionbudget/${namespace}/${name}`, 'reaches', undefined);
  const subject = state?.subject;
  const workload =
    subject?.kind === 'workload' ? `${subject.ownerKind.toLowerCase()}/${subject.namespace}/${subject.name}` : undefined;
  return {
    workload: left?.workload ?? workload ?? null,
    ready: left?.ready ?? null,
    pods: left?.pods ?? null,
    at: left?.at ?? null,
    objects: [...objects.values()],
  };
}

/** The first alerts in full, as long as they are kept. */
export async function readSamples(parts: {
  readonly archive: Pick<AlertArchive, 'read'>;
  readonly open: (sealed: Uint8Array, aad: string) => Uint8Array;
  readonly trust: Trust;
  readonly summary: IncidentSummary;
}): Promise<readonly AlertSample[]> {
  const { archive, open, trust, summary } = parts;
  const rows = await archive.read({ since: summary.openedAt, chain: chainOf(summary.incident), most: mostSampleRecords });
  const alerts = rows.flatMap(({ stored, sealed }): readonly Alert[] => {
    const [record] = provenOf([stored], trust).records;
    return record && sealed ? sealedAlerts(record, () => open(sealed, sealedAt(record))) : [];
  });
  return alerts.slice(0, mostSamples).map(sampleOf);
}

/** Content that somebody else put there, or that was sealed with a lost key, is ignored: the other alerts are shown. */
function sealedAlerts(record: AuditRecord, opened: () => Uint8Array): readonly Alert[] {
  try {
    const text = vouchedFor(Buffer.from(opened()).toString(), record);
    return text === undefined ? [] : alertsIn(text);
  } catch {
    return [];
  }
}

function sampleOf(alert: Alert): AlertSample {
  const { id, time, rule, severity, title, sensor, node, pod, container, process, apiRequest, doubt, facts, mitre } = alert;
  const unknownProcess = { name: null, exe: null, commandLine: null, user: null, pid: null };
  return {
    ...{ id, at: time, rule, severity, title, sensor, node: node ?? null },
    pod: pod ? `${pod.namespace}/${pod.name}` : null,
    container: container?.name ?? null,
    image: container?.image ?? null,
    processes: [
      ...(process?.parent === undefined ? [] : [{ ...unknownProcess, name: process.parent }]),
      ...(process
        ? [
            {
              name: process.name ?? null,
              exe: process.exe ?? null,
              commandLine: process.commandLine ?? null,
              user: process.user ?? null,
              pid: process.pid ?? null,
            },
          ]
        : []),
    ],
    request: apiRequest
      ? {
          account: apiRequest.account,
          verb: apiRequest.verb,
          resource: apiRequest.resource ?? null,
          namespace: apiRequest.namespace ?? null,
          name: apiRequest.name ?? null,
        }
      : null,
    doubt: doubt ?? null,
    novelty: facts?.novelty?.text ?? null,
    mitre: [...mitre],
  };
}
