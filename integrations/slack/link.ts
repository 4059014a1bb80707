import type { KnownBlock } from '@slack/types';
import { section } from './blocks.ts';
import { inline } from './text.ts';

/** For use between `<` and `>`: nothing in it can end the link. */
export function safeUrl(url: string): string {
  return encodeURI(url).replaceAll(/[<>|]/g, '');
}

/** The blocks of an answer that goes on elsewhere; nothing for one that does not. */
export function linkBlocks({ text, link }: { readonly text: string; readonly link?: string }): {
  readonly blocks?: KnownBlock[];
} {
  if (link === undefined) return {};
  return { blocks: [section(`${inline(text, 2_000)}\n<${safeUrl(link)}|Sign in and decide>`)] };
}
