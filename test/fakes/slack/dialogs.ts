import type { InputBlock, View } from './methods/block-schema.ts';
import { SlackRefusal } from './methods/method.ts';
import { store, viewOf } from './methods/view-methods.ts';
import type { FakeView, SlackWorld } from './world.ts';

/** Slack's reaction to the app's answer to a submitted dialog. `trouble`: "We had some trouble connecting. Try again?" */
export type DialogOutcome =
  | { readonly outcome: 'closed' | 'cleared' | 'updated' | 'pushed' }
  | { readonly outcome: 'errors'; readonly errors: Readonly<Record<string, string>> }
  | { readonly outcome: 'trouble'; readonly why: string };

export function inputsOf({ blocks }: View): readonly InputBlock[] {
  return blocks.filter((block) => block.type === 'input');
}

/** What Slack's own client reports before anything is sent, by block. */
export function problemsOf(view: View, typed: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const problems = inputsOf(view).flatMap(({ block_id: id = '', element, optional }) => {
    const text = typed[id] ?? '';
    if (text === '') return optional === true ? [] : [[id, 'Please complete this required field.']];
    if (element.type !== 'plain_text_input') return [];
    const { min_length: min = 0, max_length: max = 3_000 } = element;
    if (text.length < min) return [[id, `Please enter at least ${min} characters.`]];
    return text.length > max ? [[id, `Please enter at most ${max} characters.`]] : [];
  });
  return Object.fromEntries(problems);
}

/** https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission: `view.state.values`. */
export function stateOf(view: View, typed: Readonly<Record<string, string>>) {
  const values = inputsOf(view).map(({ block_id: id = '', element }) => [
    id,
    { [element.action_id ?? '']: { type: element.type, ...inputValue(element, typed[id] ?? '') } },
  ]);
  return { values: Object.fromEntries(values) };
}

function inputValue(element: InputBlock['element'], text: string): Readonly<Record<string, unknown>> {
  switch (element.type) {
    case 'plain_text_input':
      return { value: text === '' ? null : text };
    case 'static_select':
    case 'radio_buttons':
      return { selected_option: element.options.find(({ value }) => value === text) ?? null };
    case 'checkboxes':
      return { selected_options: element.options.filter(({ value }) => text.split(',').includes(value)) };
    case 'users_select':
      return { selected_user: text === '' ? null : text };
    case 'datepicker':
      return { selected_date: text === '' ? null : text };
  }
}

/** Its value before anybody has touched it. */
function initialValue(element: InputBlock['element']): string | undefined {
  if (element.type === 'datepicker') return element.initial_date;
  if (element.type === 'static_select' || element.type === 'radio_buttons') return element.initial_option?.value;
  return element.type === 'plain_text_input' ? element.initial_value : undefined;
}

/** What somebody types who reads the question: the end of the name in the label, the number if it gives one, and a reason. */
export function carefullyTyped(view: View): Readonly<Record<string, string>> {
  const typed = inputsOf(view).map(({ block_id: id = '', label, element }) => {
    const [, name, count] = /^Last four characters of (.+?)(?:, a space, and the number (\d+))?$/.exec(label.text) ?? [];
    const end = name && (count === undefined ? name.slice(-4) : `${name.slice(-4)} ${count}`);
    const first = 'options' in element ? element.options[0]?.value : undefined;
    return [id, end ?? initialValue(element) ?? first ?? 'As the card says.'];
  });
  return Object.fromEntries(typed);
}

/** https://docs.slack.dev/surfaces/modals#response_actions. Slack shows anything that is not exactly one of these as trouble. */
export function takeAnswer(
  world: SlackWorld,
  open: FakeView,
  { status, body }: { readonly status: number; readonly body: string },
): DialogOutcome {
  if (status !== 200) return { outcome: 'trouble', why: `the app answered with ${status}` };
  if (body === '') return closed(world, open);
  const answer = parsed(body);
  switch (answer.response_action) {
    case undefined:
      return Object.keys(answer).length === 0 ? closed(world, open) : { outcome: 'trouble', why: 'not a response_action' };
    case 'clear':
      for (const [id, view] of world.views) if (view.user === open.user) world.views.delete(id);
      world.changed();
      return { outcome: 'cleared' };
    case 'errors':
      return errorsIn(open.view, answer.errors);
    case 'update':
    case 'push':
      return shown(world, open, answer.response_action, answer.view);
    default:
      return { outcome: 'trouble', why: `no such response_action: ${String(answer.response_action)}` };
  }
}

function parsed(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : { response_action: 'not an object' };
  } catch {
    return { response_action: 'not JSON' };
  }
}

function closed(world: SlackWorld, open: FakeView): DialogOutcome {
  world.views.delete(open.id);
  world.changed();
  return { outcome: 'closed' };
}

function errorsIn(view: View, given: unknown): DialogOutcome {
  const errors = typeof given === 'object' && given !== null ? Object.entries(given) : [];
  const known = new Set(inputsOf(view).map(({ block_id: id }) => id));
  const wrong = errors.find(([id, text]) => !known.has(id) || typeof text !== 'string' || text === '');
  if (errors.length === 0 || wrong) return { outcome: 'trouble', why: `errors must name input blocks: ${wrong?.[0] ?? 'none'}` };
  return { outcome: 'errors', errors: Object.fromEntries(errors) };
}

function shown(world: SlackWorld, { id, user, rootId }: FakeView, action: 'update' | 'push', given: unknown): DialogOutcome {
  try {
    const view = viewOf(given);
    store({ view, world, user, rootId, ...(action === 'update' ? { id } : {}) });
    return { outcome: action === 'update' ? 'updated' : 'pushed' };
  } catch (error) {
    if (error instanceof SlackRefusal) return { outcome: 'trouble', why: JSON.stringify(error.extra) };
    throw error;
  }
}
