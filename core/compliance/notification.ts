import { type AuditRecord, isRemoved } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';

const hourMs = 3_600_000;

/** CRA Article 14 has two: an actively exploited vulnerability in a product, and a severe incident that affects its security. */
export const regimes = ['nis2', 'cra-incident', 'cra-vulnerability'] as const;
export const stages = ['early-warning', 'notification', 'final'] as const;
export type Regime = (typeof regimes)[number];
export type NotificationStage = (typeof stages)[number];

/** What the organisation is under NIS2, if that changes a deadline. */
export const entities = ['other', 'trust-service-provider'] as const;
export type Entity = (typeof entities)[number];

/** The length of a stage's term, and what it is counted from. */
type Term =
  | { readonly from: 'awareness'; readonly hours: number }
  /** One month after the notification was sent; while it is not sent, after its deadline. */
  | { readonly from: 'notification'; readonly months: 1 }
  /** After a corrective or mitigating measure is available: until then the deadline is unknown. */
  | { readonly from: 'measure'; readonly days: number };

interface StageTerm {
  readonly term: Term;
  readonly by: string;
  /** What the law asks for and no record contains. */
  readonly toFillIn: readonly string[];
}

interface StageRule extends StageTerm {
  readonly title: string;
  /** The term that applies to providers of trust services instead. Absent: the same. */
  readonly ofTrustServices?: StageTerm;
}

const severity = 'An assessment of its severity and impact on the service';
const indicators = 'Indicators of compromise beyond those below';
const nis2 = 'of Directive (EU) 2022/2555';
const cra = 'of Regulation (EU) 2024/2847';
const memberStates = 'The member states in which the product was made available';
const unlawful = 'Is it suspected of being caused by unlawful or malicious acts?';
const craNotification = [
  'Corrective or mitigating measures taken by the manufacturer, and those that users can take',
  'How sensitive the information is considered to be',
];

/** Directive (EU) 2022/2555, Article 23(4), and Regulation (EU) 2024/2847, Article 14. */
export const rules: Readonly<Record<Regime, Readonly<Record<NotificationStage, StageRule>>>> = {
  nis2: {
    'early-warning': {
      title: 'NIS2 early warning',
      term: { from: 'awareness', hours: 24 },
      by: `Article 23(4)(a) ${nis2}: 24 hours after becoming aware of a significant incident`,
      toFillIn: [
        'Is the incident significant (Article 23(3))? Who decided that, and when?',
        unlawful,
        'Could it have an impact in other member states?',
      ],
    },
    notification: {
      title: 'NIS2 incident notification',
      term: { from: 'awareness', hours: 72 },
      by: `Article 23(4)(b) ${nis2}: 72 hours after becoming aware`,
      toFillIn: [
        severity,
        indicators,
        'Does it affect a trust service that you provide? Then this is due 24 hours after becoming aware, not 72: set `incidents.deadlines.entity`',
      ],
      ofTrustServices: {
        term: { from: 'awareness', hours: 24 },
        by: `Article 23(4), second subparagraph, ${nis2}: a trust service provider notifies 24 hours after becoming aware`,
        toFillIn: [
          severity,
          indicators,
          'Does it affect none of your trust services? Then it is due 72 hours after becoming aware, by Article 23(4)(b)',
        ],
      },
    },
    final: {
      title: 'NIS2 final report',
      term: { from: 'notification', months: 1 },
      by: `Article 23(4)(d) ${nis2}: one month after the notification`,
      toFillIn: [
        'The type of threat or root cause',
        'The impact, also across borders',
        'Ongoing measures',
        'Is the incident still ongoing? Then a progress report is due now, and the final one a month after it was handled (Article 23(4)(e))',
      ],
    },
  },
  'cra-incident': {
    'early-warning': {
      title: 'CRA early warning',
      term: { from: 'awareness', hours: 24 },
      by: `Article 14(4)(a) ${cra}: 24 hours after becoming aware of a severe incident`,
      toFillIn: ['The product with digital elements, and why the incident is severe (Article 14(5))', memberStates, unlawful],
    },
    notification: {
      title: 'CRA incident notification',
      term: { from: 'awareness', hours: 72 },
      by: `Article 14(4)(b) ${cra}: 72 hours after becoming aware`,
      toFillIn: ['The nature of the incident, and a first assessment of it', ...craNotification],
    },
    final: {
      title: 'CRA final report',
      term: { from: 'notification', months: 1 },
      by: `Article 14(4)(c) ${cra}: one month after the notification`,
      toFillIn: ['The threat or root cause, its severity and impact', 'Mitigating measures taken, and those still ongoing'],
    },
  },
  'cra-vulnerability': {
    'early-warning': {
      title: 'CRA early warning',
      term: { from: 'awareness', hours: 24 },
      by: `Article 14(2)(a) ${cra}: 24 hours after becoming aware of an actively exploited vulnerability`,
      toFillIn: ['The product with digital elements, and the vulnerability that is exploited', memberStates],
    },
    notification: {
      title: 'CRA vulnerability notification',
      term: { from: 'awareness', hours: 72 },
      by: `Article 14(2)(b) ${cra}: 72 hours after becoming aware`,
      toFillIn: ['The product, and the nature of the exploit and of the vulnerability', ...craNotification],
    },
    final: {
      title: 'CRA final report',
      term: { from: 'measure', days: 14 },
      by: `Article 14(2)(c) ${cra}: 14 days after a corrective or mitigating measure is available`,
      toFillIn: [
        'The vulnerability, its severity and impact',
        'The adversary, where known',
        'The security update or other corrective measure',
      ],
    },
  },
};

/** Returns the rule as it applies to an organisation. */
export function ruleOf(regime: Regime, stage: NotificationStage, entity: Entity): Omit<StageRule, 'ofTrustServices'> {
  const { ofTrustServices, ...rule } = rules[regime][stage];
  return entity === 'trust-service-provider' ? { ...rule, ...ofTrustServices } : rule;
}

/** The moments that the law counts from, in milliseconds since 1970. */
export interface CountedFrom {
  readonly entity: Entity;
  readonly awareAt: number;
  /** When the notification was sent. */
  readonly notifiedAt?: number | undefined;
  /** When a corrective or mitigating measure became available. */
  readonly measureAt?: number | undefined;
}

/** Returns the deadline of a stage, in milliseconds since 1970; undefined if it is not known yet. */
export function dueAt(regime: Regime, stage: NotificationStage, from: CountedFrom): number | undefined {
  const { term } = ruleOf(regime, stage, from.entity);
  if (term.from === 'awareness') return from.awareAt + term.hours * hourMs;
  if (term.from === 'measure') return from.measureAt === undefined ? undefined : from.measureAt + term.days * 24 * hourMs;
  const notified = from.notifiedAt ?? dueAt(regime, 'notification', from);
  return notified === undefined ? undefined : monthAfter(notified);
}

/** Returns the same day and hour of the next month, or its last day (Regulation (EEC, Euratom) 1182/71, Article 3(2)(c), whose day ends later), in UTC. */
function monthAfter(ms: number): number {
  const at = new Date(ms);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  const lastDay = new Date(Date.UTC(year, month + 2, 0)).getUTCDate();
  return Date.UTC(year, month + 1, Math.min(at.getUTCDate(), lastDay)) + (ms % (24 * hourMs));
}

export interface NotificationDraft {
  readonly title: string;
  readonly by: string;
  readonly incident: string;
  /** ISO 8601, UTC. */
  readonly awareAt: string;
  /** Explains which moment that is. */
  readonly awareBy: string;
  /** null: not known yet. */
  readonly dueAt: string | null;
  /** What the records say. */
  readonly facts: readonly (readonly [name: string, text: string])[];
  readonly course: readonly { readonly at: string; readonly text: string; readonly record: string }[];
  readonly toFillIn: readonly string[];
}

/** Records of what happened, what was done and what was decided, without every single check. */
const courseKinds =
  /^(?:incident\.(?:opened|verdict|closed|reopened)|step\.(?:applied|failed)|question\.(?:decided|expired)|lease\.released|containment\.(?:changed|gone))$/;
const mostOfCourse = 100;

/**
 * Builds a draft from the proven records of one run of an incident, in order. It contains no judgement: what the law asks of people is left as a question.
 * @throws RangeError if the records do not begin with the incident's opening
 */
export function notificationDraft({
  incident,
  records,
  regime,
  stage,
  entity,
  clock,
}: {
  readonly incident: string;
  readonly records: readonly AuditRecord[];
  readonly regime: Regime;
  readonly stage: NotificationStage;
  readonly entity: Entity;
  /** What people have put on record about it. Absent: counted from the first alert. */
  readonly clock?: (Omit<CountedFrom, 'entity'> & { readonly by: string }) | undefined;
}): NotificationDraft {
  const opened = records.find(({ kind }) => kind === 'incident.opened');
  if (!opened) throw new RangeError(`the records of ${incident} do not cover its beginning`);
  const { title, by, toFillIn } = ruleOf(regime, stage, entity);
  const from = { entity, ...(clock ?? { awareAt: Date.parse(opened.at) }) };
  const due = dueAt(regime, stage, from);
  const [cluster = '', namespace = '', kind = '', name = ''] = incident.split('/').slice(1);
  const removed = records.filter(isRemoved);
  const closed = records.findLast((record) => record.kind === 'incident.closed');
  const evidence = records.filter(
    ({ kind: what, body }) => what === 'step.applied' && isObject(body.output) && isObject(body.output.evidence),
  );
  const course = records.filter((record) => courseKinds.test(record.kind));
  return {
    title,
    by,
    incident,
    awareAt: new Date(from.awareAt).toISOString(),
    awareBy: clock ? `recorded by ${clock.by}` : 'the first alert',
    dueAt: due === undefined ? null : new Date(due).toISOString(),
    facts: [
      ['Where', `${kind} ${name} in the namespace ${namespace} of the cluster ${cluster}`],
      ['First alert', textOf(opened)],
      ['Alerts', String(alertsIn(records))],
      ['Techniques', techniquesIn(records).join(', ') || 'none named by the alerts'],
      ['Verdict of people', verdictIn(records)],
      ['State', closed ? `closed at ${closed.at}` : 'open'],
      [
        'Evidence',
        evidence.length > 0
          ? `kept by ${evidence.length === 1 ? '1 step' : `${evidence.length} steps`}, with hashes in the records`
          : 'none kept',
      ],
      ...(removed.length > 0
        ? [
            [
              'Removed by order',
              `the content of records ${removed.map(({ number }) => number).join(', ')} is not counted above`,
            ] as const,
          ]
        : []),
    ],
    course: course.slice(0, mostOfCourse).map((record) => ({
      at: record.at,
      text: `${textOf(record)} (${record.actor})`,
      record: `${record.chain}#${record.number}`,
    })),
    toFillIn:
      course.length > mostOfCourse
        ? [...toFillIn, `The rest of the course of events: ${course.length - mostOfCourse} more records`]
        : toFillIn,
  };
}

function verdictIn(records: readonly AuditRecord[]): string {
  const given = records.findLast(({ kind }) => kind === 'incident.verdict');
  if (!given) return 'none yet';
  if (isRemoved(given)) return `given at ${given.at}; its content was removed by order`;
  return typeof given.body.incident === 'string' ? given.body.incident : 'none yet';
}

/** Returns Markdown, for whatever form the authority has. */
export function notificationText(draft: NotificationDraft): string {
  const { title, by, incident, awareAt, awareBy, facts, course, toFillIn } = draft;
  const due = draft.dueAt === null ? 'The due date is not known yet.' : `Due ${draft.dueAt}.`;
  return [
    `# ${title}: draft`,
    '',
    `Incident ${incident}. By ${by}.`,
    '',
    `Aware since ${awareAt} (${inline(awareBy)}). **${due}**`,
    '',
    '## To be filled in by people',
    '',
    ...toFillIn.map((one) => `- [ ] ${one}`),
    '',
    '## What the records say',
    '',
    ...facts.map(([name, text]) => `- **${name}**: ${inline(text)}`),
    '',
    '## Course of events',
    '',
    ...course.map(({ at, text, record }) => `- ${at} ${inline(text)} \`${record}\``),
    '',
  ].join('\n');
}

/** Texts of alerts come from strangers: their markup is neutralised, and they stay on one line. */
function inline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|!]/g, (sign) => `\\${sign}`);
}

function textOf({ kind, body: { text } }: AuditRecord): string {
  return typeof text === 'string' && text !== '' ? text.slice(0, 500) : kind;
}

function alertsIn(records: readonly AuditRecord[]): number {
  const counts = records.flatMap(({ kind, body }) =>
    (kind === 'incident.opened' || kind === 'alert.joined') && Array.isArray(body.counts)
      ? (body.counts as readonly unknown[])
      : [],
  );
  return counts.reduce<number>((sum, one) => sum + (isObject(one) && typeof one.count === 'number' ? one.count : 0), 0);
}

function techniquesIn(records: readonly AuditRecord[]): readonly string[] {
  const alerts = records.flatMap(({ body }) => (Array.isArray(body.alerts) ? (body.alerts as readonly unknown[]) : []));
  const ids = alerts.flatMap((alert) =>
    isObject(alert) && Array.isArray(alert.mitre) ? (alert.mitre as readonly unknown[]) : [],
  );
  return [...new Set(ids.filter((id) => typeof id === 'string'))].sort();
}
