import type { InputBlock, KnownBlock, ModalView, PlainTextOption } from '@slack/types';
import { atLeast, type Severity, severities } from '../../../core/alert/severity.ts';
import type { SuppressibleKind } from '../../../core/alert/suppressible.ts';
import type { SuppressionDraft } from '../../../core/cards/card-store.ts';
import { placeOf } from '../../../core/cards/card-words.ts';
import { longestSuppressionMs, narrowingText, suppressedWorkload } from '../../../core/orders/suppression.ts';
import { problemOfReason } from '../../../core/text/reason.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { type FormResult, reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { code, inline, linesUpTo } from './text.ts';

const kindBlock = 'fb_kind';
const upToBlock = 'fb_up_to';
const untilBlock = 'fb_until';
const dayMs = 86_400_000;
const proposedDays = 7;

/** The form as filled in: proposed as it is, and decided by others. */
export interface FilledProposal {
  readonly kind: SuppressibleKind;
  readonly upTo: Severity;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly reason: string;
}

/** The dialog that proposes a suppression for the incident's alerts. `rule`: the card's rule, preselected. */
export function suppressionView({
  draft,
  modalId,
  now,
  rule,
}: {
  readonly draft: SuppressionDraft;
  readonly modalId: string;
  readonly now: number;
  readonly rule?: string | undefined;
}): ModalView {
  const { kinds, incident, owner } = draft;
  const chosen = Math.max(
    0,
    kinds.findIndex(({ match }) => match.rule === rule),
  );
  return {
    type: 'modal',
    callback_id: 'fb_suppression',
    private_metadata: modalId,
    title: words('Suppress alerts', 24),
    submit: words('Propose', 24),
    close: words('Go back', 24),
    blocks: [
      section(
        '⚠️ *This weakens the response.* Alerts are hidden only when somebody else agrees; critical ones when two people do.',
      ),
      section(linesUpTo(['*What would be hidden*', ...kinds.map(kindText)], 2_900)),
      ...notSuppressible(draft),
      ...(kinds.length < 2 ? [] : [kindInput(kinds, chosen)]),
      upToInput(kinds[chosen]?.severity ?? 'medium'),
      untilInput(now),
      reasonInput('Why is it a false positive?', 'Signed with your proposal, shown to whoever decides, and kept on the record.'),
      context([
        `${inline(owner, 100)} is responsible for it`,
        inline(placeOf(incident), 200),
        `cluster ${code(incident.cluster, 60)}`,
      ]),
    ],
  };
}

function kindText({ match, severity }: SuppressibleKind, index: number): string {
  const narrower = narrowingText(match);
  const only = narrower === undefined ? '' : `, only where ${inline(narrower, 200)}`;
  return `${index + 1}.  ${code(match.rule, 200)} of ${code(suppressedWorkload(match), 300)}, image ${code(match.image.digest, 80)}${only}, ${severity} at worst`;
}

function notSuppressible({ not }: SuppressionDraft): KnownBlock[] {
  const lines = not.map(({ rule, why }) => `•  ${code(rule, 200)}: ${inline(why, 200)}`);
  return lines.length === 0 ? [] : [section(linesUpTo(['*What cannot be hidden*', ...lines], 1_500))];
}

function kindInput(kinds: readonly SuppressibleKind[], chosen: number): InputBlock {
  const options = kinds.map(
    ({ match }, index): PlainTextOption => ({
      text: words(`${index + 1}. ${match.rule}`, slackLimits.button),
      value: String(index),
    }),
  );
  return selectInput({ id: kindBlock, label: 'Which of them?', options, chosen });
}

function upToInput(severity: Severity): InputBlock {
  const options = severities.map((one): PlainTextOption => ({ text: words(one, slackLimits.button), value: one }));
  const hint = 'Anything worse is handled as usual.';
  return selectInput({
    id: upToBlock,
    label: 'The worst alert that is hidden',
    hint,
    options,
    chosen: severities.indexOf(severity),
  });
}

function untilInput(now: number): InputBlock {
  return {
    type: 'input',
    block_id: untilBlock,
    label: words('Until', 24),
    hint: words('Ends automatically at the end of that day, in UTC. 30 days at most.', 150),
    element: { type: 'datepicker', action_id: 'fb_day', initial_date: dayOf(now + proposedDays * dayMs) },
  };
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Reads what was filled in, limited to what the dialog offered when it was opened. */
export function proposalIn(
  typed: Readonly<Record<string, string>>,
  { kinds }: SuppressionDraft,
  now: number,
): FormResult<FilledProposal> {
  const kind = kinds[kinds.length < 2 ? 0 : Number.parseInt(typed[kindBlock] ?? '', 10)];
  const upTo = severities.find((one) => one === typed[upToBlock]);
  const until = endOf(typed[untilBlock] ?? '', now);
  const reason = typed[reasonBlock] ?? '';
  const errors: Record<string, string> = {};
  if (!kind) errors[kindBlock] = 'Choose one of them.';
  if (!upTo) errors[upToBlock] = 'Choose one of them.';
  else if (kind && !atLeast(upTo, kind.severity))
    errors[upToBlock] = `These alerts are ${kind.severity} at worst: they would not all be hidden.`;
  if (typeof until === 'string') errors[untilBlock] = until;
  const unreasoned = problemOfReason(reason);
  if (unreasoned !== undefined) errors[reasonBlock] = unreasoned;
  if (!kind || !upTo || typeof until === 'string' || Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, filled: { kind, upTo, until, reason } };
}

/** Returns the end of a day, or an error. The thirtieth day ends when the 30 days do. */
function endOf(day: string, now: number): number | string {
  const begin = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(begin)) return 'Choose a day.';
  if (begin + dayMs <= now) return 'This day is over.';
  if (begin > now + longestSuppressionMs) return 'A suppression lasts 30 days at most.';
  return Math.min(begin + dayMs, now + longestSuppressionMs);
}
