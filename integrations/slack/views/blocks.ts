import type { KnownBlock, PlainTextElement } from '@slack/types';
import { plain } from './text.ts';

/** Slack's limits for blocks and for the message as a whole: https://docs.slack.dev/reference/block-kit/blocks */
export const slackLimits = {
  blocks: 50,
  section: 3_000,
  header: 150,
  button: 75,
  buttonsPerRow: 25,
  menu: 5,
  message: 12_000,
} as const;

/** `text` is mrkdwn, escaped already. */
export function section(text: string): KnownBlock {
  // verbatim: Slack does not turn plain words into links, mentions or channels.
  // expand: nothing is hidden behind “see more”.
  return { type: 'section', expand: true, text: { type: 'mrkdwn', text: text.slice(0, slackLimits.section), verbatim: true } };
}

/** `parts` are mrkdwn, escaped already. */
export function context(parts: readonly string[]): KnownBlock {
  return { type: 'context', elements: [{ type: 'mrkdwn', text: parts.join('  ·  '), verbatim: true }] };
}

/** Not yet escaped. */
export function words(text: string, max: number): PlainTextElement {
  return { type: 'plain_text', text: plain(text, max), emoji: false };
}
