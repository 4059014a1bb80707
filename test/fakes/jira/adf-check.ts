import { isFields } from '../rest/server.ts';

const inlines: Readonly<Record<string, readonly string[]>> = {
  text: ['type', 'text', 'marks'],
  hardBreak: ['type', 'attrs', 'marks'],
  mention: ['type', 'attrs', 'marks'],
  inlineCard: ['type', 'attrs', 'marks'],
};
const blocks: Readonly<Record<string, readonly string[]>> = {
  paragraph: ['type', 'content', 'attrs', 'marks'],
  codeBlock: ['type', 'content', 'attrs', 'marks'],
};

function onlyKeys(node: Readonly<Record<string, unknown>>, allowed: readonly string[]): boolean {
  return Object.keys(node).every((key) => allowed.includes(key));
}

function inlineIsValid(node: unknown): boolean {
  if (!isFields(node) || typeof node.type !== 'string') return false;
  const keys = inlines[node.type];
  if (!keys || !onlyKeys(node, keys)) return false;
  // `minLength: 1` in the schema: an empty text node is an invalid document.
  if (node.type === 'text') return typeof node.text === 'string' && node.text.length > 0;
  return node.type === 'hardBreak' || isFields(node.attrs);
}

function blockIsValid(node: unknown): boolean {
  if (!isFields(node) || typeof node.type !== 'string') return false;
  const keys = blocks[node.type];
  if (!keys || !onlyKeys(node, keys)) return false;
  const { content = [] } = node;
  return Array.isArray(content) && content.every(inlineIsValid);
}

/** The part of the Atlassian Document Format that issues use, as its JSON schema (version 1) has it: strict about unknown keys and empty texts. */
export function isAdf(value: unknown): boolean {
  if (!isFields(value) || !onlyKeys(value, ['version', 'type', 'content'])) return false;
  if (value.version !== 1 || value.type !== 'doc' || !Array.isArray(value.content)) return false;
  return value.content.every(blockIsValid);
}

/** All its text, a line a break. */
export function adfText(node: unknown): string {
  if (Array.isArray(node)) return node.map(adfText).join('');
  if (!isFields(node)) return '';
  if (node.type === 'hardBreak') return '\n';
  const inner = adfText(node.content);
  return (typeof node.text === 'string' ? node.text : '') + inner + (node.type === 'paragraph' ? '\n\n' : '');
}
