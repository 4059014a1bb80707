import type { AuditRecord } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';

export const regimes = ['nis2', 'cra'] as const;
export const stages = ['early-warning', 'notification', 'final'] as const;
export type Regime = (typeof regimes)[number];
export type NotificationStage = (typeof stages)[number];

const hourMs = 3_600_000;

interface StageRule {
  readonly title: string;
  /** Milliseconds from when we became aware; of the final report from then on too, by NIS2's month after the notification at the latest. */
  readonly withinMs: number;
  readonly by: string;
  /** What the law asks for and no record holds. */
  readonly toFillIn: readonly string[];
}

/** Directive (EU) 2022/2555, Article 23(4), and Regulation (EU) 2024/2847, Article 14. */
export const rules: Readonly<Record<Regime, Readonly<Record<NotificationStage, StageRule>>>> = {
  nis2: {
    'early-warning': {
      title: 'NIS2 early warning',
      withinMs: 24 * hourMs,
      by: 'Article 23(4)(a) of Directive (EU) 2022/2555: 24 hours after becoming aware of a significant incident',
      toFillIn: [
        'Is the incident significant (Article 23(3))? Who decided that, and when?',
        'Is it suspected of being caused by unlawful or malicious acts?',
        'Could it have an impact in other member states?',
      ],
    },
    notification: {
      title: 'NIS2 incident notification',
      withinMs: 72 * hourMs,
      by: 'Article 23(4)(b) of Directive (EU) 2022/2555: 72 hours after becoming aware',
      toFillIn: ['An assessment of its severity and impact on the service', 'Indicators of compromise beyond those below'],
    },
    final: {
      title: 'NIS2 final report',
      withinMs: 72 * hourMs + 30 * 24 * hourMs,
      by: 'Article 23(4)(d) of Directive (EU) 2022/2555: one month after the notification',
      toFillIn: ['The type of threat or root cause', 'The impact, also across borders', 'Measures that go on'],
    },
  },
  cra: {
    'early-warning': {
      title: 'CRA early warning',
      withinMs: 24 * hourMs,
      by: 'Article 14(2)(a) and 14(4)(a) of Regulation (EU) 2024/2847: 24 hours after becoming aware',
      toFillIn: [
        'The product with digital elements, and the vulnerability that is exploited or the severe incident',
        'The member states in which the product was made available',
        'Is it suspected of being caused by unlawful or malicious acts?',
      ],
    },
    notification: {
      title: 'CRA notification',
      withinMs: 72 * hourMs,
      by: 'Article 14(2)(b) and 14(4)(b) of Regulation (EU) 2024/2847: 72 hours after becoming aware',
      toFillIn: [
        'General information about the product and the nature of the exploit or incident',
        'Corrective or mitigating measures taken by the manufacturer, and those that users can take',
        'How sensitive the information is considered to be',
      ],
    },
    final: {
      title: 'CRA final report',
      withinMs: 72 * hourMs + 30 * 24 * hourMs,
      by: 'Article 14(2)(c) of Regulation (EU) 2024/2847: 14 days after a corrective measure is available; 14(4)(c): one month after the notification of a severe incident',
      toFillIn: [
        'The vulnerability or root cause, its severity and impact',
        'The adversary, where known',
        'The security update or other corrective measure',
      ],
    },
  },
};

export interface NotificationDraft {
  readonly title: string;
  readonly by: string;
  readonly incident: string;
  /** ISO 8601, UTC. */
  readonly awareAt: string;
  readonly dueAt: string;
  /** What the records say. */
  readonly facts: readonly (readonly [name: string, text: string])[];
  readonly course: readonly { readonly at: string; readonly text: string; readonly record: string }[];
  readonly toFillIn: readonly string[];
}

/** What happened, what was done and what was decided; nobody is told of every check. */
const courseKinds =
  /^(?:incident\.(?:opened|verdict|closed|reopened)|step\.(?:applied|failed)|question\.(?:decided|expired)|lease\.released|containment\.(?:changed|gone))$/;
const mostOfCourse = 100;

/**
 * A draft from the proven records of one run of an incident, in their order. It fills in no judgement: what the law asks of people stands as a question.
 * @throws RangeError where the records do not begin with the incident's opening
 */
export function notificationDraft({
  incident,
  records,
  regime,
  stage,
}: {
  readonly incident: string;
  readonly records: readonly AuditRecord[];
  readonly regime: Regime;
  readonly stage: NotificationStage;
}): NotificationDraft {
  const opened = records.find(({ kind }) => kind === 'incident.opened');
  if (!opened) throw new RangeError(`the records of ${incident} do not cover its beginning`);
  const { title, withinMs, by, toFillIn } = rules[regime][stage];
  const [cluster = '', namespace = '', kind = '', name = ''] = incident.split('/').slice(1);
  const verdict = records.findLast((record) => record.kind === 'incident.verdict')?.body.incident;
  const closed = records.findLast((record) => record.kind === 'incident.closed');
  const evidence = records.filter(
    ({ kind: what, body }) => what === 'step.applied' && isObject(body.output) && isObject(body.output.evidence),
  );
  const course = records.filter((record) => courseKinds.test(record.kind));
  return {
    title,
    by,
    incident,
    awareAt: opened.at,
    dueAt: new Date(Date.parse(opened.at) + withinMs).toISOString(),
    facts: [
      ['Where', `${kind} ${name} in the namespace ${namespace} of the cluster ${cluster}`],
      ['First alert', textOf(opened)],
      ['Alerts', String(alertsIn(records))],
      ['Techniques', techniquesIn(records).join(', ') || 'none named by the alerts'],
      ['Verdict of people', typeof verdict === 'string' ? verdict : 'none yet'],
      ['State', closed ? `closed at ${closed.at}` : 'open'],
      ['Evidence', evidence.length > 0 ? `${evidence.length} times kept, with hashes in the records` : 'none kept'],
    ],
    course: course.slice(0, mostOfCourse).map((record) => ({
      at: record.at,
      text: `${textOf(record)} (${record.actor})`,
      record: `${record.chain}#${record.number}`,
    })),
    toFillIn:
      course.length > mostOfCourse
        ? [...toFillIn, `The rest of the course: ${course.length - mostOfCourse} more records`]
        : toFillIn,
  };
}

/** Markdown, for whatever form the authority has. */
export function notificationText({ title, by, incident, awareAt, dueAt, facts, course, toFillIn }: NotificationDraft): string {
  return [
    `# ${title}: draft`,
    '',
    `Incident ${incident}. By ${by}.`,
    '',
    `Aware since ${awareAt} (the first alert). **Due ${dueAt}.**`,
    '',
    '## To be filled in by people',
    '',
    ...toFillIn.map((one) => `- [ ] ${one}`),
    '',
    '## What the records say',
    '',
    ...facts.map(([name, text]) => `- **${name}**: ${inline(text)}`),
    '',
    '## Course',
    '',
    ...course.map(({ at, text, record }) => `- ${at} ${inline(text)} \`${record}\``),
    '',
  ].join('\n');
}

/** Texts of alerts are strangers' texts: no markup of theirs, and one line. */
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
