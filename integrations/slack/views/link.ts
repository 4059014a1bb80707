import type { KnownBlock } from '@slack/types';
import { section } from './blocks.ts';
import { inline } from './text.ts';

/** For use between `<` and `>`: nothing in the URL can end the link. */
export function safeUrl(url: string): string {
  return encodeURI(url).replaceAll(/[<>|]/g, '');
}

/** An answer as mrkdwn, with the link to continue below it. */
export function linkText({
  text,
  link,
  max = 1_000,
  goesOn = 'Sign in and decide',
}: {
  readonly text: string;
  readonly link?: string | undefined;
  /** Maximum length of the text alone. */
  readonly max?: number;
  readonly goesOn?: string;
}): string {
  const said = inline(text, max);
  return link === undefined ? said : `${said}\n<${safeUrl(link)}|${goesOn}>`;
}

/** The blocks of an answer that has a link to continue; empty for one that has none. */
export function linkBlocks({ link, ...words }: { readonly text: string; readonly link?: string; readonly goesOn?: string }): {
  readonly blocks?: KnownBlock[];
} {
  if (link === undefined) return {};
  return { blocks: [section(linkText({ ...words, link, max: 2_000 }))] };
}
