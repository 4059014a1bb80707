import type { InputBlock, ModalView } from '@slack/types';
import type { RestraintDraft } from '../../core/card.ts';
import { type HoldingMode, longestRestraintMs, type RestraintScope, restraintMeanings } from '../../core/restraint.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { problemOfReason, type Read, reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { code, inline } from './text.ts';

const scopeBlock = 'fb_scope';
const namespaceBlock = 'fb_namespace';
const hoursBlock = 'fb_hours';
const hourMs = 3_600_000;
const proposedHours = [1, 2, 4, 8, 24, 72, 168, longestRestraintMs / hourMs];
/** A static select holds 100 options. */
const mostPlaybooks = 90;

/** What somebody has filled in: it is proposed as it stands, and decided by others. */
export interface FilledRestraint {
  readonly scope: RestraintScope;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly reason: string;
}

const titles: Readonly<Record<HoldingMode, string>> = { freeze: 'Freeze', observe: 'Only observe' };
const deciders: Readonly<Record<HoldingMode, string>> = { freeze: 'somebody else agrees', observe: 'two other people agree' };

/** The dialog that proposes a freeze or an observe mode. */
export function restraintView({ draft, modalId }: { readonly draft: RestraintDraft; readonly modalId: string }): ModalView {
  const { mode, cluster, owner } = draft;
  const option = (text: string, value: string) => ({ text: words(text, slackLimits.button), value });
  return {
    type: 'modal',
    callback_id: 'fb_restraint',
    private_metadata: modalId,
    title: words(titles[mode], 24),
    submit: words('Propose', 24),
    close: words('Go back', 24),
    blocks: [
      section(`⚠️ *This weakens the response.* In force, ${restraintMeanings[mode]}. It begins only when ${deciders[mode]}.`),
      selectInput({
        id: scopeBlock,
        label: 'Of what?',
        options: scopesOf(draft).map(({ title }, index) => option(title, String(index))),
        chosen: 0,
      }),
      namespaceInput(),
      selectInput({
        id: hoursBlock,
        label: 'For how long?',
        hint: 'Then it ends by itself. One person can end it sooner.',
        options: proposedHours.map((hours) => option(hours < 48 ? `${hours} h` : `${hours / 24} days`, String(hours))),
        chosen: proposedHours.indexOf(4),
      }),
      reasonInput('Why?', 'Signed with your proposal, shown to who decides, and kept on the record.'),
      context([`${inline(owner, 100)} answers for it`, `cluster ${code(cluster, 60)}`]),
    ],
  };
}

function namespaceInput(): InputBlock {
  return {
    type: 'input',
    block_id: namespaceBlock,
    optional: true,
    label: words('Which namespace?', 100),
    hint: words('Only where it is of one namespace.', 150),
    element: { type: 'plain_text_input', action_id: 'fb_text', max_length: 63 },
  };
}

type Offered = { readonly title: string; readonly scope: (namespace: string) => RestraintScope; readonly isNamespace?: true };

function scopesOf({ playbooks }: RestraintDraft): readonly Offered[] {
  return [
    { title: 'One namespace', scope: (name) => ({ kind: 'namespace', name }), isNamespace: true },
    { title: 'The whole cluster', scope: () => ({ kind: 'cluster' }) },
    ...playbooks
      .slice(0, mostPlaybooks)
      .map(({ id, title }): Offered => ({ title: `Playbook: ${title}`, scope: () => ({ kind: 'playbook', name: id }) })),
  ];
}

/** What was filled in, of what the dialog offered when it was opened. */
export function restraintIn(typed: Readonly<Record<string, string>>, draft: RestraintDraft, now: number): Read<FilledRestraint> {
  const offered = scopesOf(draft)[Number.parseInt(typed[scopeBlock] ?? '', 10)];
  const namespace = typed[namespaceBlock] ?? '';
  const hours = proposedHours.find((one) => String(one) === typed[hoursBlock]);
  const reason = typed[reasonBlock] ?? '';
  const errors: Record<string, string> = {};
  if (!offered) errors[scopeBlock] = 'Choose one of them.';
  else if (offered.isNamespace && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace))
    errors[namespaceBlock] = 'Name the namespace.';
  // Somebody who names a namespace means less than what they chose.
  else if (!offered.isNamespace && namespace !== '') errors[namespaceBlock] = 'Leave this empty, or choose “One namespace”.';
  if (hours === undefined) errors[hoursBlock] = 'Choose one of them.';
  const unreasoned = problemOfReason(reason);
  if (unreasoned !== undefined) errors[reasonBlock] = unreasoned;
  if (!offered || hours === undefined || Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, filled: { scope: offered.scope(namespace), until: now + hours * hourMs, reason } };
}
