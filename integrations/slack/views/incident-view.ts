import type { InputBlock, ModalView } from '@slack/types';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import type { IncidentDraft } from '../../../core/cards/card-store.ts';
import { podIn, type StartMode } from '../../../core/orders/incident-order.ts';
import { problemOfReason } from '../../../core/text/reason.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { type FormResult, reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { code, inline, preformatted } from './text.ts';

const podBlock = 'fb_pod';
const wishBlock = 'fb_wish';
const severityBlock = 'fb_severity';
const longestPod = 317;
/** Below these severities nobody would be asked. */
const offeredSeverities: readonly Severity[] = severities.slice(0, 4);
const offeredWishes: readonly (readonly [StartMode, string])[] = [
  ['look', 'Keep evidence, and ask the others'],
  ['quarantine', 'Cut the pod off at once'],
];

/** The form as filled in. */
export interface FilledIncident {
  readonly wish: StartMode;
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly severity: Severity;
  readonly reason: string;
}

/** The dialog that starts an incident by hand. */
export function incidentView({ draft, modalId }: { readonly draft: IncidentDraft; readonly modalId: string }): ModalView {
  const { wish, cluster, owner, message } = draft;
  return {
    type: 'modal',
    callback_id: 'fb_incident',
    private_metadata: modalId,
    title: words('Start an incident', 24),
    submit: words('Start', 24),
    close: words('Go back', 24),
    blocks: [
      ...(message ? [section(`*From the message*\n${preformatted(message.text, 1_000)}`)] : []),
      podInput(draft.pod),
      selectInput({
        id: wishBlock,
        label: 'What is to be done?',
        options: offeredWishes.map(([value, text]) => ({ text: words(text, slackLimits.button), value })),
        chosen: offeredWishes.findIndex(([value]) => value === wish),
      }),
      selectInput({
        id: severityBlock,
        label: 'How bad is it?',
        hint: 'A pod that is cut off by order is critical, whatever is chosen here.',
        options: offeredSeverities.map((one) => ({ text: words(one, slackLimits.button), value: one })),
        chosen: offeredSeverities.indexOf(wish === 'quarantine' ? 'critical' : 'high'),
      }),
      reasonInput('What is it?', 'Signed as yours, shown to whoever decides, and kept on the record.'),
      context([`${inline(owner, 100)} starts it, and lets the others decide`, `cluster ${code(cluster, 60)}`]),
    ],
  };
}

function podInput(pod: string | undefined): InputBlock {
  return {
    type: 'input',
    block_id: podBlock,
    label: words('Which pod?', 100),
    hint: words('NAMESPACE/NAME, as kubectl prints them.', 150),
    element: {
      type: 'plain_text_input',
      action_id: 'fb_text',
      max_length: longestPod,
      ...(pod === undefined ? {} : { initial_value: pod.slice(0, longestPod) }),
    },
  };
}

export function incidentIn(typed: Readonly<Record<string, string>>): FormResult<FilledIncident> {
  const pod = podIn(typed[podBlock] ?? '');
  const [wish] = offeredWishes.find(([value]) => value === typed[wishBlock]) ?? [];
  const severity = offeredSeverities.find((one) => one === typed[severityBlock]);
  const reason = typed[reasonBlock] ?? '';
  const errors: Record<string, string> = {};
  if (!pod) errors[podBlock] = 'Write it as NAMESPACE/NAME.';
  if (!wish) errors[wishBlock] = 'Choose one of them.';
  if (!severity) errors[severityBlock] = 'Choose one of them.';
  const unreasoned = problemOfReason(reason);
  if (unreasoned !== undefined) errors[reasonBlock] = unreasoned;
  if (!pod || !wish || !severity || Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, filled: { wish, pod, severity: wish === 'quarantine' ? 'critical' : severity, reason } };
}
