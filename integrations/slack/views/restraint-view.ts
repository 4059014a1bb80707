import type { InputBlock, ModalView } from '@slack/types';
import type { RestraintDraft } from '../../../core/cards/card-store.ts';
import { fullIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import {
  longestBrokenGlassMs,
  longestRestraintMs,
  type RestraintMode,
  type RestraintScope,
  restraintMeanings,
} from '../../../core/orders/restraint.ts';
import { problemOfReason } from '../../../core/text/reason.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { type FormResult, reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { code, inline } from './text.ts';

const scopeBlock = 'fb_scope';
const namespaceBlock = 'fb_namespace';
const incidentBlock = 'fb_incident';
const hoursBlock = 'fb_hours';
const hourMs = 3_600_000;
const longestIncident = 450;
/** A static select holds 100 options. */
const mostPlaybooks = 90;

/** The form as filled in: proposed as it is, and decided by others. */
export interface FilledRestraint {
  readonly scope: RestraintScope;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly reason: string;
}

interface Form {
  readonly title: string;
  /** Mrkdwn. */
  readonly warning: string;
  readonly hours: readonly number[];
  /** The one that is preselected. */
  readonly usual: number;
}

const holdingHours = [1, 2, 4, 8, 24, 72, 168, longestRestraintMs / hourMs];
const forms: Readonly<Record<RestraintMode, Form>> = {
  freeze: {
    title: 'Freeze',
    warning: `*This weakens the response.* While it is in force, ${restraintMeanings.freeze}. It begins only when somebody else agrees.`,
    hours: holdingHours,
    usual: 4,
  },
  observe: {
    title: 'Only observe',
    warning: `*This weakens the response.* While it is in force, ${restraintMeanings.observe}. It begins only when two other people agree.`,
    hours: holdingHours,
    usual: 4,
  },
  'break-glass': {
    title: 'Break glass',
    warning: `*This lifts guardrails.* While it is in force, ${restraintMeanings['break-glass']}. It begins only when somebody else agrees, and everybody is told.`,
    hours: [1, 2, 4, 8, longestBrokenGlassMs / hourMs],
    usual: 1,
  },
};

/** The dialog that proposes a freeze, observe mode or break-glass. */
export function restraintView({ draft, modalId }: { readonly draft: RestraintDraft; readonly modalId: string }): ModalView {
  const { mode, cluster, owner, incident } = draft;
  const { title, warning, hours, usual } = forms[mode];
  const option = (text: string, value: string) => ({ text: words(text, slackLimits.button), value });
  return {
    type: 'modal',
    callback_id: 'fb_restraint',
    private_metadata: modalId,
    title: words(title, 24),
    submit: words('Propose', 24),
    close: words('Go back', 24),
    blocks: [
      section(`⚠️ ${warning}`),
      selectInput({
        id: scopeBlock,
        label: 'Of what?',
        options: scopesOf(draft).map((offered, index) => option(offered.title, String(index))),
        chosen: 0,
      }),
      ...(mode === 'break-glass' ? [incidentInput(incident)] : []),
      namespaceInput(),
      selectInput({
        id: hoursBlock,
        label: 'For how long?',
        hint: 'It then ends automatically. One person can end it sooner.',
        options: hours.map((some) => option(some < 48 ? `${some} h` : `${some / 24} days`, String(some))),
        chosen: hours.indexOf(usual),
      }),
      reasonInput('Why?', 'Signed with your proposal, shown to whoever decides, and kept on the record.'),
      context([`${inline(owner, 100)} is responsible for it`, `cluster ${code(cluster, 60)}`]),
    ],
  };
}

function namespaceInput(): InputBlock {
  return {
    type: 'input',
    block_id: namespaceBlock,
    optional: true,
    label: words('Which namespace?', 100),
    hint: words('Only if it applies to one namespace.', 150),
    element: { type: 'plain_text_input', action_id: 'fb_text', max_length: 63 },
  };
}

function incidentInput(incident: string | undefined): InputBlock {
  return {
    type: 'input',
    block_id: incidentBlock,
    optional: true,
    label: words('Which incident?', 100),
    hint: words('Only if it applies to one incident: NAMESPACE/Kind/NAME, such as shop/Deployment/cart.', 150),
    element: {
      type: 'plain_text_input',
      action_id: 'fb_text',
      max_length: longestIncident,
      ...(incident === undefined ? {} : { initial_value: incident.slice(0, longestIncident) }),
    },
  };
}

interface Offered {
  readonly title: string;
  /** Which of the text fields names it. Absent: none. */
  readonly named?: 'namespace' | 'incident';
  /** Undefined if the text is not a valid name. */
  readonly scope: (name: string) => RestraintScope | undefined;
}

function scopesOf({ mode, cluster, playbooks }: RestraintDraft): readonly Offered[] {
  const namespace: Offered = {
    title: 'One namespace',
    named: 'namespace',
    scope: (name) => (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? { kind: 'namespace', name } : undefined),
  };
  const incident: Offered = {
    title: 'One incident',
    named: 'incident',
    scope: (written) => {
      const name = fullIncidentId(written, cluster);
      return subjectOfIncident(name)?.cluster === cluster ? { kind: 'incident', name } : undefined;
    },
  };
  // A person who has typed an incident already means that one: it comes first and is selected.
  if (mode === 'break-glass') return [incident, namespace];
  return [
    namespace,
    { title: 'The whole cluster', scope: () => ({ kind: 'cluster' }) },
    ...playbooks
      .slice(0, mostPlaybooks)
      .map(({ id, title }): Offered => ({ title: `Playbook: ${title}`, scope: () => ({ kind: 'playbook', name: id }) })),
  ];
}

/** Reads what was filled in, limited to what the dialog offered when it was opened. */
export function restraintIn(
  typed: Readonly<Record<string, string>>,
  draft: RestraintDraft,
  now: number,
): FormResult<FilledRestraint> {
  const offered = scopesOf(draft)[Number.parseInt(typed[scopeBlock] ?? '', 10)];
  const named = { namespace: (typed[namespaceBlock] ?? '').trim(), incident: (typed[incidentBlock] ?? '').trim() };
  const scope = offered?.scope(offered.named === undefined ? '' : named[offered.named]);
  const hours = forms[draft.mode].hours.find((one) => String(one) === typed[hoursBlock]);
  const reason = typed[reasonBlock] ?? '';
  const errors: Record<string, string> = {};
  if (!offered) errors[scopeBlock] = 'Choose one of them.';
  else if (!scope && offered.named === 'namespace') errors[namespaceBlock] = 'Name the namespace.';
  else if (!scope) errors[incidentBlock] = 'Name the incident: NAMESPACE/Kind/NAME.';
  // A person who types a name means something narrower than, or different from, what they chose.
  if (offered && offered.named !== 'namespace' && named.namespace !== '')
    errors[namespaceBlock] = 'Leave this empty, or choose “One namespace”.';
  if (offered && offered.named !== 'incident' && named.incident !== '')
    errors[incidentBlock] = 'Leave this empty, or choose “One incident”.';
  if (hours === undefined) errors[hoursBlock] = 'Choose one of them.';
  const unreasoned = problemOfReason(reason);
  if (unreasoned !== undefined) errors[reasonBlock] = unreasoned;
  if (!scope || hours === undefined || Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, filled: { scope, until: now + hours * hourMs, reason } };
}
