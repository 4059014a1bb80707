import { z } from 'zod';

/**
 * Block Kit as Slack's reference describes it, limits included: https://docs.slack.dev/reference/block-kit. Unknown fields and types are rejected, as Slack
 * does.
 */
const characters = (min: number, max: number) => z.string().min(min).max(max);
const actionId = characters(1, 255);
const blockId = characters(1, 255).optional();

const plainText = (max: number) =>
  z.strictObject({ type: z.literal('plain_text'), text: characters(1, max), emoji: z.boolean().optional() });
const mrkdwn = (max: number) =>
  z.strictObject({ type: z.literal('mrkdwn'), text: characters(1, max), verbatim: z.boolean().optional() });
const anyText = (max: number) => z.discriminatedUnion('type', [plainText(max), mrkdwn(max)]);

const confirm = z.strictObject({
  title: plainText(100),
  text: anyText(300),
  confirm: plainText(30),
  deny: plainText(30),
  style: z.enum(['primary', 'danger']).optional(),
});

const button = z.strictObject({
  type: z.literal('button'),
  text: plainText(75),
  action_id: actionId.optional(),
  url: characters(1, 3_000).optional(),
  value: characters(0, 2_000).optional(),
  style: z.enum(['primary', 'danger']).optional(),
  confirm: confirm.optional(),
  accessibility_label: characters(1, 75).optional(),
});

const option = z.strictObject({ text: anyText(75), value: characters(1, 150), description: plainText(75).optional() });
const options = z.array(option).min(1).max(100);

/** “This option must exactly match one of the options.” https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element */
function startsWithOwn(element: {
  readonly options: readonly unknown[];
  readonly initial_option?: unknown;
  readonly initial_options?: readonly unknown[] | undefined;
}): boolean {
  const known = element.options.map((one) => JSON.stringify(one));
  const initial = [...(element.initial_options ?? []), ...(element.initial_option === undefined ? [] : [element.initial_option])];
  return initial.every((one) => known.includes(JSON.stringify(one)));
}
const notOwn = 'must be one of the options';

const select = z
  .strictObject({
    type: z.literal('static_select'),
    action_id: actionId.optional(),
    placeholder: plainText(150).optional(),
    options,
    initial_option: option.optional(),
    confirm: confirm.optional(),
    focus_on_load: z.boolean().optional(),
  })
  .refine(startsWithOwn, notOwn);
const overflow = z.strictObject({
  type: z.literal('overflow'),
  action_id: actionId.optional(),
  options: z.array(option).min(1).max(5),
  confirm: confirm.optional(),
});
const usersSelect = z.strictObject({
  type: z.literal('users_select'),
  action_id: actionId.optional(),
  placeholder: plainText(150).optional(),
  initial_user: z.string().optional(),
});
const datePicker = z.strictObject({
  type: z.literal('datepicker'),
  action_id: actionId.optional(),
  initial_date: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/)
    .optional(),
  placeholder: plainText(150).optional(),
});
const radioButtons = z
  .strictObject({
    type: z.literal('radio_buttons'),
    action_id: actionId.optional(),
    options: z.array(option).min(1).max(10),
    initial_option: option.optional(),
  })
  .refine(startsWithOwn, notOwn);
const checkboxes = z
  .strictObject({
    type: z.literal('checkboxes'),
    action_id: actionId.optional(),
    options: z.array(option).min(1).max(10),
    initial_options: z.array(option).optional(),
  })
  .refine(startsWithOwn, notOwn);
const plainTextInput = z
  .strictObject({
    type: z.literal('plain_text_input'),
    action_id: actionId.optional(),
    initial_value: characters(0, 3_000).optional(),
    multiline: z.boolean().optional(),
    min_length: z.number().int().min(0).max(3_000).optional(),
    max_length: z.number().int().min(1).max(3_000).optional(),
    placeholder: plainText(150).optional(),
    focus_on_load: z.boolean().optional(),
  })
  .refine((element) => (element.min_length ?? 0) <= (element.max_length ?? 3_000), 'min_length is greater than max_length');
const image = { image_url: characters(1, 3_000), alt_text: characters(1, 2_000) };
const imageElement = z.strictObject({ type: z.literal('image'), ...image });

const section = z
  .strictObject({
    type: z.literal('section'),
    block_id: blockId,
    text: anyText(3_000).optional(),
    fields: z.array(anyText(2_000)).min(1).max(10).optional(),
    accessory: z
      .discriminatedUnion('type', [button, select, overflow, usersSelect, datePicker, radioButtons, checkboxes, imageElement])
      .optional(),
    expand: z.boolean().optional(),
  })
  .refine((block) => block.text !== undefined || block.fields !== undefined, 'must provide text or fields');

const header = z.strictObject({ type: z.literal('header'), block_id: blockId, text: plainText(150) });
const divider = z.strictObject({ type: z.literal('divider'), block_id: blockId });
const context = z.strictObject({
  type: z.literal('context'),
  block_id: blockId,
  elements: z
    .array(z.discriminatedUnion('type', [plainText(3_000), mrkdwn(3_000), imageElement]))
    .min(1)
    .max(10),
});
const actions = z.strictObject({
  type: z.literal('actions'),
  block_id: blockId,
  elements: z
    .array(z.discriminatedUnion('type', [button, select, overflow, usersSelect, datePicker, radioButtons, checkboxes]))
    .min(1)
    .max(25),
});
const imageBlock = z.strictObject({ type: z.literal('image'), block_id: blockId, ...image, title: plainText(2_000).optional() });
const input = z.strictObject({
  type: z.literal('input'),
  block_id: blockId,
  label: plainText(2_000),
  element: z.discriminatedUnion('type', [plainTextInput, select, usersSelect, datePicker, radioButtons, checkboxes]),
  hint: plainText(2_000).optional(),
  optional: z.boolean().optional(),
  dispatch_action: z.boolean().optional(),
});

const messageBlock = z.discriminatedUnion('type', [section, header, divider, context, actions, imageBlock, input]);
export type Block = z.infer<typeof messageBlock>;
export type Button = z.infer<typeof button>;
export type Overflow = z.infer<typeof overflow>;
export type InputBlock = z.infer<typeof input>;
export type TextObject = z.infer<ReturnType<typeof anyText>>;

type BlocksResult =
  | { readonly ok: true; readonly blocks: readonly Block[] }
  | { readonly ok: false; readonly error: string; readonly messages: readonly string[] };

/** Slack adds up all text of a message, and rejects it at about this length. */
const textOfMessage = 13_200;

export function parseBlocks(value: unknown, { max }: { readonly max: number } = { max: 50 }): BlocksResult {
  if (!Array.isArray(value)) return { ok: false, error: 'invalid_blocks_format', messages: ['[ERROR] blocks must be an array'] };
  const parsed = z.array(messageBlock).max(max).safeParse(value);
  if (!parsed.success) {
    const messages = parsed.error.issues.map(
      (issue) => `[ERROR] ${issue.message} [json-pointer:/blocks/${issue.path.join('/')}]`,
    );
    return { ok: false, error: 'invalid_blocks', messages };
  }
  const repeated = repeatedId(parsed.data);
  if (repeated !== undefined) return { ok: false, error: 'invalid_blocks', messages: [repeated] };
  return textLength(parsed.data) > textOfMessage
    ? { ok: false, error: 'msg_blocks_too_long', messages: [] }
    : { ok: true, blocks: withIds(parsed.data) };
}

/** Ids must be unique: of blocks in the surface, of actions in their block. */
export function repeatedId(blocks: readonly Block[]): string | undefined {
  const twice = firstRepeated(blocks.flatMap((block) => block.block_id ?? []));
  if (twice !== undefined) return `[ERROR] block_id \`${twice}\` already exists`;
  for (const block of blocks) {
    const ids = block.type === 'actions' ? block.elements.flatMap((element) => element.action_id ?? []) : [];
    const double = firstRepeated(ids);
    if (double !== undefined) return `[ERROR] \`action_id\` "${double}" already exists`;
  }
  return undefined;
}

/** Slack adds an id to every block and element that was posted without one. */
export function withIds(blocks: readonly Block[]): readonly Block[] {
  return blocks.map((block, index) => {
    const named = { ...block, block_id: block.block_id ?? `auto${index}` };
    if (named.type === 'input') {
      return { ...named, element: { ...named.element, action_id: named.element.action_id ?? `auto${index}_0` } };
    }
    if (named.type !== 'actions') return named;
    const elements = named.elements.map((element, at) => ({ ...element, action_id: element.action_id ?? `auto${index}_${at}` }));
    return { ...named, elements };
  });
}

function firstRepeated(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) !== index);
}

function textLength(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + textLength(one), 0);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [name, inner]) => sum + (name === 'text' && typeof inner === 'string' ? inner.length : textLength(inner)),
    0,
  );
}

/** https://docs.slack.dev/reference/views/modal-views */
export const modalView = z.strictObject({
  type: z.literal('modal'),
  title: plainText(24),
  blocks: z.array(messageBlock).max(100),
  close: plainText(24).optional(),
  submit: plainText(24).optional(),
  private_metadata: characters(0, 3_000).optional(),
  callback_id: characters(0, 255).optional(),
  clear_on_close: z.boolean().optional(),
  notify_on_close: z.boolean().optional(),
  external_id: characters(0, 255).optional(),
  submit_disabled: z.boolean().optional(),
});

export type View = z.infer<typeof modalView>;

/** https://docs.slack.dev/messaging/message-metadata: values are strings, numbers, booleans, or flat objects and lists of them. */
const flat = z.union([z.string(), z.number(), z.boolean()]);
export const messageMetadata = z.strictObject({
  event_type: z.string().regex(/^[A-Za-z0-9_.:/-]{1,255}$/),
  event_payload: z.record(
    z.string(),
    z.union([flat, z.record(z.string(), flat), z.array(z.union([flat, z.record(z.string(), flat)]))]),
  ),
});
