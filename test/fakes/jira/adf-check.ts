import { z } from 'zod';
import { isFields } from '../rest/server.ts';

/**
 * The part of the Atlassian Document Format that text uses, as in its JSON schema: unknown keys, empty texts and wrong nesting make the whole document invalid.
 * https://unpkg.com/@atlaskit/adf-schema/dist/json-schema/v1/full.json, https://developer.atlassian.com/cloud/jira/platform/apis/document/structure
 */
const mark = (type: string) => z.strictObject({ type: z.literal(type) });
const link = z.strictObject({
  type: z.literal('link'),
  attrs: z.strictObject({
    href: z.string(),
    title: z.string().optional(),
    id: z.string().optional(),
    collection: z.string().optional(),
  }),
});
const styled = z.union([
  mark('strong'),
  mark('em'),
  mark('strike'),
  mark('underline'),
  link,
  z.strictObject({ type: z.literal('subsup'), attrs: z.strictObject({ type: z.enum(['sub', 'sup']) }) }),
  z.strictObject({
    type: z.literal('textColor'),
    attrs: z.strictObject({ color: z.string().regex(/^#[0-9a-fA-F]{6}$/) }),
  }),
]);
/** `code` can be combined only with a link. */
const marks = z.union([z.array(styled), z.array(z.union([mark('code'), link]))]);

const plainText = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });
const text = z.strictObject({ type: z.literal('text'), text: z.string().min(1), marks: marks.optional() });
const inline = z.union([
  text,
  z.strictObject({ type: z.literal('hardBreak'), attrs: z.strictObject({ text: z.literal('\n').optional() }).optional() }),
  z.strictObject({
    type: z.literal('mention'),
    attrs: z.strictObject({
      id: z.string(),
      text: z.string().optional(),
      accessLevel: z.string().optional(),
      userType: z.enum(['DEFAULT', 'SPECIAL', 'APP']).optional(),
    }),
  }),
  z.strictObject({ type: z.literal('emoji'), attrs: z.strictObject({ shortName: z.string(), text: z.string().optional() }) }),
  z.strictObject({ type: z.literal('inlineCard'), attrs: z.strictObject({ url: z.string() }) }),
]);
const paragraph = z.strictObject({ type: z.literal('paragraph'), content: z.array(inline).optional() });
const heading = z.strictObject({
  type: z.literal('heading'),
  attrs: z.strictObject({ level: z.number().int().min(1).max(6) }),
  content: z.array(inline).optional(),
});
const codeBlock = z.strictObject({
  type: z.literal('codeBlock'),
  attrs: z.strictObject({ language: z.string().optional() }).optional(),
  content: z.array(plainText).optional(),
});
const rule = z.strictObject({ type: z.literal('rule') });
const listItem: z.ZodType = z.lazy(() =>
  z.strictObject({ type: z.literal('listItem'), content: z.array(z.union([paragraph, codeBlock, list])).min(1) }),
);
const list: z.ZodType = z.lazy(() =>
  z.union([
    z.strictObject({ type: z.literal('bulletList'), content: z.array(listItem).min(1) }),
    z.strictObject({
      type: z.literal('orderedList'),
      attrs: z.strictObject({ order: z.number().min(0) }).optional(),
      content: z.array(listItem).min(1),
    }),
  ]),
);
const blockquote = z.strictObject({
  type: z.literal('blockquote'),
  content: z.array(z.union([paragraph, list, codeBlock])).min(1),
});
const panel = z.strictObject({
  type: z.literal('panel'),
  attrs: z.strictObject({ panelType: z.enum(['info', 'note', 'tip', 'warning', 'error', 'success']) }),
  content: z.array(z.union([paragraph, heading, list, rule, codeBlock])).min(1),
});
const document = z.strictObject({
  version: z.literal(1),
  type: z.literal('doc'),
  content: z.array(z.union([paragraph, heading, codeBlock, rule, list, blockquote, panel])),
});

export function isAdf(value: unknown): boolean {
  return document.safeParse(value).success;
}

/** All its text, with a line per break. */
export function adfText(node: unknown): string {
  if (Array.isArray(node)) return node.map(adfText).join('');
  if (!isFields(node)) return '';
  if (node.type === 'hardBreak') return '\n';
  const inner = adfText(node.content);
  return (typeof node.text === 'string' ? node.text : '') + inner + (node.type === 'paragraph' ? '\n\n' : '');
}
