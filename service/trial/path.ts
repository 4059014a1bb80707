/** A call of an incident: an activity and its arguments. */
interface Call {
  readonly activity: string;
  readonly args: readonly unknown[];
}

/** Words that people read, and what follows from them. Nothing is decided by them. */
const words: ReadonlySet<string> = new Set([
  'asked',
  'body',
  'digest',
  'doubt',
  'evidence',
  'evidenceDeadline',
  'incidentTitle',
  'inputDigest',
  'keyId',
  'label',
  'message',
  'note',
  'notes',
  'onSilence',
  'questionDigest',
  'reason',
  'signature',
  'text',
  'title',
  'votes',
  'warrant',
]);

const timeInText = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

function withoutWords(value: unknown): unknown {
  if (typeof value === 'string') return timeInText.test(value) ? '' : value;
  if (Array.isArray(value)) return value.map(withoutWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !words.has(name))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, one]) => [name, withoutWords(one)]),
  );
}

interface SaidRecord {
  readonly kind?: unknown;
  readonly body?: { readonly verdict?: unknown };
}

/** Messages to people and records describe what was done. Only a verdict is found nowhere else. */
const describing: ReadonlySet<string> = new Set([
  'answerClick',
  'callPeople',
  'endPage',
  'postInThread',
  'showNotice',
  'updateTicket',
]);

/** What of a call decides the incident's path, as text to compare. */
export function pathOf({ activity, args }: Call): string {
  if (describing.has(activity)) return activity;
  if (activity === 'recordAudit') {
    const records = (Array.isArray(args[0]) ? args[0] : []) as readonly SaidRecord[];
    return JSON.stringify([activity, records.map(({ kind, body }) => [kind, body?.verdict])]);
  }
  const [asked] = args;
  const { question }: { readonly question?: unknown } = Object(asked);
  // The rest of a card describes the incident.
  const isCard = activity === 'postQuestion' || activity === 'updateQuestion';
  return JSON.stringify([activity, withoutWords(isCard ? question : args)]);
}

/** `the step quarantinePod (lease …)`: as the author knows it, with what differs from another call. */
export function callText(call: Call, other?: Call): string {
  const { activity, args } = call;
  const question = questionIn(call);
  if (question) {
    const differs = other ? differingParts(question, questionIn(other)) : '';
    const text = `a question with the answers ${(question.choices ?? []).map(({ id }) => id).join(', ')}`;
    return differs === '' ? text : `${text} (${differs})`;
  }
  const step = stepIn(call);
  if (!step) return activity === 'recordAudit' ? `a record of ${kindsIn(args).join(', ')}` : activity;
  const before = other && stepIn(other);
  const differs = before?.action === step.action ? differingParts(step, before) : '';
  return `${verbs[activity] ?? activity} ${step.action}${differs === '' ? '' : ` (${differs})`}`;
}

const verbs: Readonly<Record<string, string>> = {
  planStep: 'the plan of',
  applyStep: 'the step',
  applyStepNow: 'the step',
  verifyStep: 'the check of',
  undoStep: 'the release of',
};

interface AskedQuestion {
  readonly choices?: readonly { readonly id?: string }[];
  readonly [name: string]: unknown;
}

function questionIn({ args: [asked] }: Call): AskedQuestion | undefined {
  return Object(asked).question;
}

interface Step {
  readonly action: string;
  readonly [name: string]: unknown;
}

function stepIn({ args: [asked] }: Call): Step | undefined {
  const { call = asked }: { readonly call?: unknown } = Object(asked);
  const { action }: { readonly action?: unknown } = Object(call);
  return typeof action === 'string' ? (call as Step) : undefined;
}

function kindsIn([records]: readonly unknown[]): readonly string[] {
  return Array.isArray(records) ? records.map(({ kind, body }) => [kind, body?.verdict].filter(Boolean).join(' ')) : [];
}

const longestText = 120;

type Parts = Readonly<Record<string, unknown>>;

function differingParts(one: Parts, other: Parts = {}): string {
  const text = (value: unknown): string => JSON.stringify(withoutWords(value)) ?? 'none';
  return Object.keys({ ...one, ...other })
    .filter((name) => name !== 'choices' && !words.has(name) && text(one[name]) !== text(other[name]))
    .map((name) => `${name} ${text(one[name]).slice(0, longestText)}`)
    .join(', ');
}
