import { names } from '../../core/cluster/labels.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import { bytesText } from '../../service/commands/output.ts';
import { alertAbout, postAlert } from './alert.ts';
import { type AuditLog, isFirebreaks, isWrite } from './audit-log.ts';
import type { Facts } from './facts.ts';
import { askedQuestion, type Incident, stepOf } from './incident.ts';
import type { DemoSettings } from './settings.ts';
import { shop } from './shop.ts';
import { type DemoTicket, SlackChannel, tickets } from './slack-channel.ts';
import type { Stage, StageTime } from './stage.ts';

const containedWithinMs = 120_000;
const askedWithinMs = 120_000;

export interface DemoResponse {
  readonly sentAt: number;
  readonly state: IncidentState;
  readonly asked: QuestionState;
  readonly slack: SlackChannel;
  readonly cardTs: string;
  readonly ticket: DemoTicket | undefined;
  readonly times: readonly StageTime[];
}

/** Posts the alert, and shows what Firebreak does about it until it asks people. */
export async function showResponse(options: {
  readonly settings: DemoSettings;
  readonly incident: Incident;
  readonly before: Facts;
  readonly audit: AuditLog;
  /** Nodes that are only simulated run no containers and no network policy controller. */
  readonly playedNodes: boolean;
  readonly stage: Stage;
}): Promise<DemoResponse> {
  const { settings, incident, before, audit, stage } = options;
  const pod = before.suspect;
  const { rule, body } = alertAbout(pod);
  stage.heading(`Falco reports “${rule}” (Critical) in pod ${shop.namespace}/${pod.metadata.name}`);
  const { sentAt, ms: received } = await postAlert({ intakeUrl: settings.intakeUrl, token: settings.falcoToken, body });
  stage.event(received, 'received', 'the intake has confirmed it: the alert is durable, on disk or in Temporal');

  stage.waiting('containing the pod');
  const contained = await containedAt({ audit, name: pod.metadata.name, sentAt });
  stage.event(contained.ms, 'contained', contained.text);
  const quarantined = await incident.until(
    'the quarantine',
    containedWithinMs,
    (state) => stepOf(state, 'quarantinePod')?.verification !== undefined,
  );
  const step = stepOf(quarantined, 'quarantinePod');
  const why = options.playedNodes ? ['no policy controller runs here', step?.detail ?? ''] : [step?.detail ?? ''];
  stage.event(undefined, '', `applied, ${step?.verification?.state ?? 'unverified'}: ${why[0]}`, why.slice(1));

  stage.waiting('keeping evidence');
  const kept = await incident.until('the evidence', askedWithinMs, (state) => state.evidence.length > 0);
  const evidenceAt = stepOf(kept, 'snapshotPodState')?.endedAt;
  const evidence = (evidenceAt === undefined ? Date.now() : Date.parse(evidenceAt)) - sentAt;
  const artefacts = kept.evidence.flatMap((ref) => ref.artefacts);
  stage.event(
    evidence,
    'evidence',
    `${artefacts.length} artefacts, signed manifest sha256 ${kept.evidence[0]?.manifestSha256.slice(0, 12)}…`,
    artefacts.map(
      ({ name, bytes, sha256 }) => `${name.padEnd(16)} ${bytesText(bytes).padStart(9)}  sha256 ${sha256.slice(0, 12)}…`,
    ),
  );

  stage.waiting('asking people');
  const state = await incident.until('the question', askedWithinMs, (now) => askedQuestion(now) !== undefined);
  const ticketStep = stepOf(state, 'openTicket');
  const [ticket] = await tickets(settings);
  if (ticketStep?.endedAt)
    stage.event(
      Date.parse(ticketStep.endedAt) - sentAt,
      'ticket',
      ticket ? `#${ticket.number} ${ticket.title}` : ticketStep.detail,
      ticket ? [ticket.url] : [],
    );
  const asked = askedQuestion(state);
  if (!asked) throw new FirebreakError('FB_ERR_INTERNAL', 'the question is gone');
  const slack = new SlackChannel(settings);
  const card = await slack.question(asked.question.choices[0]?.label ?? '', askedWithinMs);
  stage.event(card.at - sentAt, 'asked', asked.question.text, [
    ...asked.question.choices.map(
      ({ label, quorum, plans }, index) =>
        `${index + 1}. ${label} (${quorum === 1 ? 'one person' : `${quorum} people`}${plans.some(({ effect }) => effect === 'destructive') ? ', cannot be undone' : ''})`,
    ),
    `asked: ${asked.question.levels.map(({ group, withinMs }) => `${group} for ${Math.round(withinMs / 60_000)} min`).join(', then ')}`,
    ...(card.onSilence === undefined ? [] : [`if nobody answers: ${card.onSilence}`]),
  ]);
  return {
    sentAt,
    state,
    asked,
    slack,
    cardTs: card.ts,
    ticket,
    times: [
      { stage: 'received', ms: received },
      { stage: 'contained', ms: contained.ms },
      { stage: 'evidence kept', ms: evidence },
      ...(ticketStep?.endedAt ? [{ stage: 'ticket filed', ms: Date.parse(ticketStep.endedAt) - sentAt }] : []),
      { stage: 'question in Slack', ms: card.at - sentAt },
    ],
  };
}

/** When the API server had completed the later of label and policy, by its own audit log. */
async function containedAt(options: { readonly audit: AuditLog; readonly name: string; readonly sentAt: number }) {
  const { audit, name, sentAt } = options;
  const patch = await audit.first(
    'quarantine of the pod',
    containedWithinMs,
    (event) =>
      isWrite(event) &&
      isFirebreaks(event) &&
      event.verb === 'patch' &&
      event.objectRef?.resource === 'pods' &&
      event.objectRef.name === name,
  );
  const policy = audit
    .events()
    .find((event) => isWrite(event) && isFirebreaks(event) && event.objectRef?.name === names.standingPolicy);
  const at = (event: typeof patch | undefined): number => (event ? Date.parse(event.stageTimestamp) - sentAt : 0);
  return {
    ms: Math.max(at(patch), at(policy)),
    text: `the API server's audit log: ${patch.verb} pods/${name}, status ${patch.responseStatus?.code}`,
  };
}
