import { z } from 'zod';
import { severities } from '../alert/severity.ts';
import { modes, profiles, responses } from '../assessment/response.ts';
import { consoleRoles } from './routes.ts';

// Messages between the console's server and the browser. Texts are as they were recorded, unescaped: whoever shows them must escape them. Times are ISO 8601,
// UTC. `null` means not known, or not there; a list is never null.

const text = z.string();
const time = z.iso.datetime();
const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const severity = z.enum(severities);
const verdict = z.enum(['true_positive', 'benign', 'suspicious', 'unknown']);
const reached = z.enum(['detected', 'contained', 'eradicated', 'recovered']);
/** `kind/namespace/name`. */
const target = text;

export const incidentKey = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .meta({ description: 'An incident’s address: short, and it never changes.' });
export const questionId = z
  .string()
  .regex(/^b_[A-Za-z0-9_-]{24}$/)
  .meta({ description: 'A question’s address.' });

/** `error.code` is one of docs/errors.md; `error.help` says what to do. */
export const errorBody = z.object({
  error: z.object({
    code: text,
    message: text,
    help: text,
    /** For an answer: what is wrong with which field (`reason`, `target`, `choice`, `form.NAME`). */
    fields: z.record(z.string(), text).exactOptional(),
  }),
});
export type ConsoleError = z.output<typeof errorBody>;

/** Somebody with a token of this client of the provider may request what their role allows. */
export const deviceSignIn = z.object({
  issuer: z.url({ protocol: /^https?$/ }),
  clientId: text,
  /** In addition to `openid`. */
  scopes: z.array(text),
});
export type DeviceSignIn = z.output<typeof deviceSignIn>;

export const session = z.object({
  person: z.object({
    /** Id in the roster; null for somebody who is not in it, and so decides nothing. */
    id: text.nullable(),
    name: text,
  }),
  roles: z.array(z.enum(consoleRoles)),
  /** Null: all. */
  namespaces: z.array(text).nullable(),
  /** To be sent with every change. Null: a session with a token cannot change anything. */
  csrf: text.nullable(),
  /** However active the session is. */
  endsAt: time,
  /** Made for a screen on a wall: it only reads, and does not end while its page is open. */
  wall: z.boolean(),
  idleMinutes: count,
  cluster: text,
  version: text,
});
export type ConsoleSession = z.output<typeof session>;

const listedIncident = z.object({
  key: incidentKey,
  /** Increases with each change. */
  revision: count,
  id: text,
  run: text,
  title: text,
  /** What the worst alert says happened, in a few words; null where no record tells. */
  what: text.nullable(),
  cluster: text,
  /** Null for incidents of a node or the cluster. */
  namespace: text.nullable(),
  kind: z.enum(['workload', 'node', 'cluster']),
  severity,
  state: z.enum(['open', 'closed']),
  reached,
  verdict,
  openedAt: time,
  changedAt: time,
  closedAt: time.nullable(),
  /** Number of alerts. */
  alerts: count,
  rules: z.array(text),
  pods: z.array(text),
  playbooks: z.array(text),
  openQuestions: count,
  /** Containments in force. */
  contained: count,
  /** The last check of each was a probe that proved it. */
  isProven: z.boolean(),
});
export type ListedIncident = z.output<typeof listedIncident>;

const oneOrMore = <Item extends z.ZodType>(item: Item) => z.union([item.transform((one) => [one]), z.array(item).max(20)]);

/** Filters that the page's address can contain; with several values of one filter, any may match. */
export const incidentQuery = z.strictObject({
  state: z.enum(['open', 'closed']).exactOptional(),
  severity: oneOrMore(severity).exactOptional(),
  verdict: oneOrMore(verdict).exactOptional(),
  cluster: text.max(100).exactOptional(),
  namespace: oneOrMore(text.max(100)).exactOptional(),
  playbook: text.max(100).exactOptional(),
  /** Searched in title, rules, pods and playbooks, ignoring case. */
  text: text.max(100).exactOptional(),
  /** Opened at or after `from`, and before `until`. */
  from: time.exactOptional(),
  until: time.exactOptional(),
  /** `next` of the previous page. */
  cursor: text.max(200).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type IncidentQuery = z.input<typeof incidentQuery>;

export const incidentPage = z.object({ items: z.array(listedIncident), next: text.nullable() });

const shownActor = z.object({
  kind: z.enum(['person', 'playbook', 'sensor', 'engine', 'other']),
  name: text,
});

/** One record as people read it. `kind` is the record's own; `text` was written by the engine. */
const timelineRecord = z.object({
  number: count,
  at: time,
  kind: text,
  actor: shownActor,
  text,
  /** The action and its object, if it is about a step. */
  action: text.nullable(),
  target: target.nullable(),
});
export type TimelineRecord = z.output<typeof timelineRecord>;

const shownStep = z.object({
  key: text,
  playbook: text,
  action: text,
  title: text,
  target,
  effect: z.enum(['read', 'reversible', 'destructive']).nullable(),
  state: z.enum(['planned', 'running', 'applied', 'verified', 'unverified', 'partial', 'failed', 'undone', 'drifted', 'skipped']),
  detail: text,
  startedAt: time,
  endedAt: time.nullable(),
  /** How it was checked, newest last. */
  proof: z.array(z.object({ at: time, state: text, detail: text })),
  changes: z.array(z.object({ target, what: text })),
});
export type ShownStep = z.output<typeof shownStep>;

const shownLease = z.object({
  id: text,
  action: text,
  title: text,
  target,
  state: z.enum(['active', 'permanent', 'releasing', 'released', 'gone', 'drifted']),
  /** How sure the containment is, by its last check. Null: it is over. */
  sure: text.nullable(),
  isProven: z.boolean(),
  startedAt: time,
  /** Null: until somebody ends it. */
  until: time.nullable(),
  renewals: count,
  /** Why its release is refused, and when it is retried; null if it is not refused. */
  refused: z.object({ why: text, nextAt: time }).nullable(),
  onSilence: text,
  /** The question by which it can be extended, kept or released; null if none is asked, or not of the reader. */
  question: questionId.nullable(),
});
export type ShownLease = z.output<typeof shownLease>;

const shownAlerts = z.object({
  rule: text,
  severity,
  pod: text.nullable(),
  count,
  firstSeen: time,
  lastSeen: time,
});
export type ShownAlerts = z.output<typeof shownAlerts>;

/** An alert as it came, while it is kept; every word of it may be the attacker's. */
const alertSample = z.object({
  id: text,
  at: text,
  rule: text,
  severity,
  title: text,
  sensor: text,
  node: text.nullable(),
  pod: text.nullable(),
  container: text.nullable(),
  image: text.nullable(),
  /** From the first known ancestor down to the process itself. */
  processes: z.array(
    z.object({
      name: text.nullable(),
      exe: text.nullable(),
      commandLine: text.nullable(),
      user: text.nullable(),
      pid: count.nullable(),
    }),
  ),
  request: z
    .object({ account: text, verb: text, resource: text.nullable(), namespace: text.nullable(), name: text.nullable() })
    .nullable(),
  doubt: text.nullable(),
  novelty: text.nullable(),
  mitre: z.array(text),
});
export type AlertSample = z.output<typeof alertSample>;

/** What was decided about a pod, or about a subject that is no pod, and why. */
const shownAssessment = z.object({
  rule: text,
  severity: z.enum(severities),
  pod: text.nullable(),
  response: z.enum(responses),
  /** Whether it woke somebody. */
  pages: z.boolean(),
  mode: z.enum(modes),
  profile: z.enum(profiles),
  /** Which scope of the configuration decided, in words. */
  scope: text,
  /** What mode `contain` would have done. Null: the same. */
  wouldHave: text.nullable(),
  reasons: z.array(text),
});
export type ShownAssessment = z.output<typeof shownAssessment>;

/** What an incident touches, as data for a picture. */
export const blastRadius = z.object({
  workload: target.nullable(),
  /** Among the pods that are not contained; null while not known. */
  ready: count.nullable(),
  pods: count.nullable(),
  /** When `ready`, `pods` and everything with `reaches` were reported. */
  at: time.nullable(),
  objects: z.array(
    z.object({
      name: target,
      kind: text,
      /** `cut`: a containment holds it. `changed`: a step changed it. `planned`: an open question would change it. `reaches`: what is left can reach it. */
      state: z.enum(['cut', 'changed', 'planned', 'reaches']),
      /** Titles of the actions. */
      by: z.array(text),
    }),
  ),
});
export type ShownBlastRadius = z.output<typeof blastRadius>;

const shownEvidence = z.object({
  manifest: sha256,
  target,
  artefacts: z.array(z.object({ name: text, sha256, bytes: count, partial: text.nullable() })),
  /** The command to get it: the desk cannot open what is kept. */
  command: text,
});

const formField = z.object({
  label: text,
  hint: text.nullable(),
  kind: z.enum(['choice', 'number', 'text', 'people']),
  options: z.array(z.object({ id: text, name: text })),
  min: z.number().nullable(),
  max: z.number().nullable(),
  longest: count.nullable(),
  most: count.nullable(),
});

export const shownChoice = z.object({
  id: text,
  label: text,
  quorum: count,
  /** Number of people who have chosen it. */
  votes: count,
  destructive: z.boolean(),
  weakens: z.boolean(),
  needsReason: z.boolean(),
  /** The object of whose name the last characters must be typed; null: none. */
  target: text.nullable(),
  form: z.record(z.string(), formField),
  changes: z.array(text),
  blastRadius: z.array(text),
  notes: z.array(text),
});
export type ShownChoice = z.output<typeof shownChoice>;

export const shownQuestionBody = z.object({
  id: questionId,
  kind: z.enum(['question', 'lease']),
  incident: z.object({
    key: incidentKey,
    title: text,
    severity,
    cluster: text,
    namespace: text.nullable(),
  }),
  text,
  /** An answer is bound to this digest, and must be sent with it. */
  digest: sha256,
  state: z.enum(['open', 'decided', 'expired', 'void']),
  /** The outcome, once it is over. */
  outcome: text.nullable(),
  happened: z.array(text),
  contained: z.array(z.object({ text, sure: text, since: time, until: time.nullable(), detail: text.nullable() })),
  evidence: z.array(z.object({ name: text, sha256, bytes: count })),
  left: text.nullable(),
  choices: z.array(shownChoice),
  votes: z.array(z.object({ person: text, choice: text, at: time, reason: text.nullable() })),
  /** Who is asked, and when the next group is. */
  level: z.object({ group: text, until: time, next: text.nullable(), people: z.array(text).nullable() }),
  deadline: time.nullable(),
  onSilence: text,
  /** Whether the incident itself has just reported this; otherwise it is as last shown. */
  live: z.boolean(),
  mine: z.object({
    may: z.boolean(),
    /** Why not, in one sentence. */
    why: text.nullable(),
    /** The reader's answer so far. */
    said: text.nullable(),
  }),
});
export type ConsoleQuestion = z.output<typeof shownQuestionBody>;

/** A question that is over, according to its records. */
const pastQuestion = z.object({
  /** Number of the record that ended it. */
  number: count,
  kind: z.enum(['question', 'lease']),
  text,
  state: z.enum(['decided', 'expired', 'void']),
  askedAt: time,
  endedAt: time,
  /** In words; null if nothing was chosen. */
  choice: text.nullable(),
  /** The people whose answers decided it. */
  by: z.array(text),
  /** Why it ended without an answer. */
  why: text.nullable(),
  answers: z.array(z.object({ person: text, choice: text, at: time, reason: text.nullable() })),
});
export type PastQuestion = z.output<typeof pastQuestion>;

export const questionList = z.object({ items: z.array(shownQuestionBody) });

export const answerBody = z.strictObject({
  choice: text.min(1).max(100),
  digest: sha256,
  reason: text.max(2_000).exactOptional(),
  /** The last characters of the target's name. */
  target: text.max(40).exactOptional(),
  form: z.record(z.string().max(100), z.union([text.max(2_000), z.number(), z.array(text.max(100)).max(20)])).exactOptional(),
});
export type AnswerBody = z.output<typeof answerBody>;

/** Nothing is decided yet: the browser goes to this address, signs in for exactly this answer, and returns to the question. */
export const answerAccepted = z.object({ signIn: z.url(), text });
export type AnswerAccepted = z.output<typeof answerAccepted>;

const recordsProof = z.object({
  /** Whether every record is there once, in order, signed by its maker, and linked to the one before. */
  whole: z.boolean(),
  findings: z.array(text),
  stored: count,
  /** Number of unproven rows: not shown anywhere. */
  leftOut: count,
  head: sha256.nullable(),
});

export const recordsBody = z.object({
  proof: recordsProof,
  records: z.array(
    z.object({
      number: count,
      at: time,
      kind: text,
      actor: text,
      body: z.record(z.string(), z.unknown()),
      keyId: text,
      signature: text,
      previous: text,
      hash: text,
    }),
  ),
});
export type ShownRecords = z.output<typeof recordsBody>;

export const shownIncident = z.object({
  incident: listedIncident,
  /** Whether the incident has just responded; if not, everything is from the records. */
  live: z.boolean(),
  verdictWhy: text.nullable(),
  timeline: z.array(timelineRecord),
  steps: z.array(shownStep),
  leases: z.array(shownLease),
  alerts: z.array(shownAlerts),
  /** The strongest response for each pod, strongest first. */
  assessments: z.array(shownAssessment),
  samples: z.array(alertSample),
  blastRadius,
  evidence: z.array(shownEvidence),
  /** What the workload was allowed to do when the incident opened, a line each. */
  posture: z.array(text),
  /** Notifications to authorities that people have declared due, a line each. */
  deadlines: z.array(text),
  /** Open questions. */
  questions: z.array(shownQuestionBody),
  /** Questions that are over, newest first. */
  pastQuestions: z.array(pastQuestion),
  tickets: z.array(z.object({ id: text.nullable(), url: z.url().nullable() })),
  thread: z.url().nullable(),
  temporal: z.url().nullable(),
  proof: recordsProof,
});
export type ShownIncident = z.output<typeof shownIncident>;

export const exportBody = z.object({ exportedAt: time, by: text, incident: shownIncident, records: recordsBody });

const range = z.object({ p50: z.number(), p90: z.number() }).nullable();

export const overview = z.object({
  at: time,
  /** Number of past days that the numbers cover, if they are about a period. */
  days: count,
  /** The incidents that sensors, playbooks and the time to contain are computed from: the newest of these days, and the total number. */
  reckoned: z.object({ incidents: count, of: count }),
  clusters: z.array(
    z.object({
      name: text,
      open: count,
      critical: count,
      contained: count,
      lastAlertAt: time.nullable(),
      /** Whether its cell currently reports what is decided above its incidents; null: the desk no longer trusts any of its cells. */
      answers: z.boolean().nullable(),
    }),
  ),
  sensors: z.array(
    z.object({
      cluster: text,
      name: text,
      /** Number of alerts in incidents. */
      alerts: count,
      lastAlertAt: time.nullable(),
      /** According to the intakes of its cluster. Null: no intake reports it, or the reader only sees some namespaces. */
      health: z
        .object({
          /** The last sign of life; null: none since the intakes began to listen. */
          heardAt: time.nullable(),
          /** How often it reported dropped events, which nobody has looked at. */
          drops: count,
          droppedAt: time.nullable(),
          /** What its own settings leave out of its events. */
          lacks: z.array(text),
          /** The nodes that must run it; null: not configured. */
          watched: z.object({ nodes: count, silent: count, longest: z.array(z.object({ node: text, since: time })) }).nullable(),
        })
        .nullable(),
    }),
  ),
  /** Null: the reader only sees some namespaces. */
  intakes: z
    .array(
      z.object({
        ...{ cluster: text, source: text, at: time, since: time },
        /** It has said nothing for longer than a live intake would. */
        isAway: z.boolean(),
        /** Since it began to listen. */
        ...{ accepted: count, duplicates: count },
        refused: z.array(z.object({ reason: text, count })),
        /** Requests without a valid token: anyone who reaches the intake can cause these. */
        unauthorized: z.array(z.object({ from: text, sensor: text.nullable(), count, since: time, lastAt: time })),
      }),
    )
    .nullable(),
  containments: z.array(
    z.object({ incident: incidentKey, title: text, namespace: text.nullable(), severity, contained: count, since: time }),
  ),
  guardrails: z.object({
    protectedNamespaces: z.array(text),
    /** Freezes, observe modes and broken glass. Null while no cell reports. */
    restraints: z
      .array(
        z.object({
          id: text,
          cluster: text,
          mode: z.enum(['freeze', 'observe', 'break-glass']),
          scope: z.object({
            kind: z.enum(['cluster', 'namespace', 'playbook', 'incident']),
            /** Set unless it is the whole cluster. */
            name: text.exactOptional(),
          }),
          title: text,
          owner: text,
          reason: text,
          until: time,
        }),
      )
      .nullable(),
  }),
  suppressions: z
    .array(
      z.object({
        ...{ id: text, cluster: text, title: text, rule: text, workload: text, owner: text, reason: text },
        ...{ upTo: severity, until: time },
        /** Alerts hidden so far; null: no intake reports it. */
        hidden: count.nullable(),
      }),
    )
    .nullable(),
  playbooks: z.array(
    z.object({
      id: text,
      title: text,
      enabled: z.boolean(),
      rules: z.array(text),
      runs: count,
      verdicts: z.record(verdict, count),
      /** Times of its incidents, and of its own questions. */
      ...{ toContain: range, toDecide: range },
    }),
  ),
  /** In seconds. */
  times: z.object({ toContain: range, toDecide: range }),
  /** A line for each of the days, oldest first, in UTC. The times are medians, in seconds. */
  history: z.array(
    z.object({
      day: z.iso.date(),
      incidents: count,
      questions: count,
      toContain: z.number().nullable(),
      toDecide: z.number().nullable(),
    }),
  ),
  questions: z.object({ asked: count, decided: count, expired: count, open: count, quickApprovals: count }),
});
export type ConsoleOverview = z.output<typeof overview>;

/** A playbook's own description, without its code. */
const describedPlaybook = z.object({
  id: text,
  title: text,
  enabled: z.boolean(),
  /** `match` is the playbook's own data (docs/matching.md); `answers` says the same in words. */
  on: z.looseObject({ match: z.unknown(), minSeverity: severity, requires: z.array(text) }),
  answers: text,
  per: text,
  priority: z.number(),
  exclusive: z.boolean(),
  /** The groups that its questions ask, level by level; null: those in the configuration. */
  levels: z
    .array(
      z.object({
        group: text,
        within: text,
        page: z.union([z.literal(true), z.literal('critical')]).exactOptional(),
      }),
    )
    .nullable(),
  params: z.record(text, z.looseObject({ kind: text, default: z.unknown(), about: text.exactOptional() })),
  contains: text.nullable(),
  evidenceFirst: text.nullable(),
  uses: z.array(z.object({ name: text, title: text, effect: text, reach: text, undo: text })),
  /** When a scheduled playbook runs, in words, and next; null: it answers alerts. */
  scheduled: z.object({ times: text, next: time.nullable() }).nullable(),
});
export type DescribedPlaybook = z.output<typeof describedPlaybook>;
export const playbookList = z.object({ items: z.array(describedPlaybook) });

const rectangle = { x: count, y: count, width: count, height: count };

/** Every path through a playbook, from an alert to the ends, as a picture: the position of each box and each label. It is data, drawn by whoever shows it. */
const drawing = z.object({
  /** The alert that it was tried on: rule and severity. */
  alert: text,
  width: count,
  height: count,
  boxes: z.array(
    z.object({
      ...rectangle,
      kind: z.enum(['alert', 'step', 'destructive', 'question', 'end']),
      lines: z.array(text),
    }),
  ),
  ways: z.array(
    z.object({
      /** Indexes into `boxes`. */
      ...{ from: count, to: count },
      /** SVG path data. */
      path: z.string().regex(/^[MVC0-9 ]+$/),
      /** The text on it; null if there is only one way. */
      label: z.object({ ...rectangle, lines: z.array(text) }).nullable(),
    }),
  ),
});
export type PlaybookDrawing = z.output<typeof drawing>;

export const drawingsQuery = z.strictObject({
  /** The playbook of a pack to draw. */
  playbook: text.max(200).exactOptional(),
});
/** `why`: the reason if there are none. */
export const drawingsBody = z.object({ items: z.array(drawing), why: text.nullable() });

export const coverageQuery = z.strictObject({
  /** The playbook whose rules are listed. */
  playbook: text.max(200).exactOptional(),
});

/** Coverage of the rules of the public rule sets, by alerts as each sensor sends them. */
export const coverageBody = z.object({
  sets: z.array(
    z.object({
      /** `from`: the repository; `version`: when it was read. */
      ...{ title: text, from: text, version: text, rules: count },
      /** Answered by a playbook made for it, anywhere; only in some places; by a playbook that takes the rest; by nothing. */
      ...{ answered: count, partly: count, rest: count, none: count },
    }),
  ),
  /** Rules that nothing answers. */
  unanswered: z.array(z.object({ rule: text, set: text, severity })),
  /** Number of rules that each is for. */
  playbooks: z.array(z.object({ id: text, rules: count })),
  /** Rules of the requested playbook; `places`: where it answers, if not everywhere. */
  rules: z.array(z.object({ rule: text, set: text, severity, mitre: z.array(text), places: z.array(text) })),
});
export type ConsoleCoverage = z.output<typeof coverageBody>;

export const peopleBody = z.object({
  since: time,
  people: z.array(
    z.object({
      person: text,
      name: text,
      questions: count,
      answers: count,
      quickApprovals: count,
      shifts: count,
      perShift: z.number(),
      mostInAShift: count,
    }),
  ),
});
export type ConsolePeople = z.output<typeof peopleBody>;

/**
 * Event `incident`: its current entry in the list; if the number of `openQuestions` changed, the questions are requested again. Event `reload`: too much was
 * missed, and everything is requested again. Event `end`: the session is over.
 */
export const consoleEvents = { incident: listedIncident, reload: z.object({}), end: z.object({}) } as const;
