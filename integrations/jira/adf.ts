import { cutText, visibleText } from '../../core/text/visible-text.ts';
import { addressLine, type TicketAddress } from '../../core/tickets/ticket-frame.ts';

/** https://developer.atlassian.com/cloud/jira/platform/apis/document/structure */
interface AdfDocument {
  readonly version: 1;
  readonly type: 'doc';
  readonly content: readonly { readonly type: 'paragraph'; readonly content: readonly AdfInline[] }[];
}

type AdfInline =
  | {
      readonly type: 'text';
      readonly text: string;
      readonly marks?: readonly [{ readonly type: 'link'; readonly attrs: { readonly href: string } }];
    }
  | { readonly type: 'hardBreak' };

/** Jira refuses a text field beyond 32 767 characters, including breaks and what Jira adds. */
const longestText = 30_000;

function lineOf(line: string, index: number): readonly AdfInline[] {
  // A text node must not be empty.
  const text: readonly AdfInline[] = line === '' ? [] : [{ type: 'text', text: line }];
  return index === 0 ? text : [{ type: 'hardBreak' }, ...text];
}

/**
 * Plain text as a document that shows exactly this text: only text nodes without marks, in which nothing is markup, mention or link. An empty line starts a new
 * paragraph. The only links are `addresses`, each in its own paragraph; `last` comes below them.
 */
export function adfOf(
  text: string,
  { addresses = [], last = [] }: { readonly addresses?: readonly TicketAddress[]; readonly last?: readonly string[] } = {},
): AdfDocument {
  return {
    version: 1,
    type: 'doc',
    content: [
      ...paragraphsOf(cutText(visibleText(text), longestText)),
      ...addresses.map((address) => ({ type: 'paragraph' as const, content: linkOf(address) })),
      ...last.flatMap((one) => paragraphsOf(visibleText(one))),
    ],
  };
}

function paragraphsOf(text: string): AdfDocument['content'] {
  return text.split(/\n[ \t]*\n+/).map((paragraph) => ({ type: 'paragraph', content: paragraph.split('\n').flatMap(lineOf) }));
}

function linkOf({ name, url }: TicketAddress): readonly AdfInline[] {
  return [
    { type: 'text', text: addressLine({ name, url: '' }) },
    { type: 'text', text: url, marks: [{ type: 'link', attrs: { href: url } }] },
  ];
}

/** All text of a document, whoever wrote it. */
export function textOfAdf(node: unknown): string {
  if (Array.isArray(node)) return node.map(textOfAdf).join('');
  if (typeof node !== 'object' || node === null) return '';
  const own = 'text' in node && typeof node.text === 'string' ? node.text : '';
  const inner = 'content' in node ? textOfAdf(node.content) : '';
  const end = 'type' in node && (node.type === 'paragraph' || node.type === 'hardBreak') ? '\n' : '';
  return own + inner + end;
}
