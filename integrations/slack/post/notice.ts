import type { KnownBlock } from '@slack/types';
import type { MessageRef, Notice } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { MessageGone } from '../fault.ts';
import { inline, linesUpTo, localTime, plain, preformatted } from '../views/text.ts';
import type { Posting } from './posting.ts';

/** A section holds 3 000 characters. https://docs.slack.dev/reference/block-kit/blocks/section-block */
const sectionLength = 2_900;

function section(text: string): KnownBlock {
  return { type: 'section', text: { type: 'mrkdwn', verbatim: true, text } };
}

/** A notice as Slack shows it, with nothing to click. */
function noticeBlocks(notice: Notice): { readonly text: string; readonly blocks: KnownBlock[] } {
  const { title, time, lines, table, tableTitle } = notice;
  const blocks: KnownBlock[] = [
    { type: 'header', text: { type: 'plain_text', text: plain(title, 150), emoji: false } },
    section(
      linesUpTo(
        lines.map((line) => inline(line, 500)),
        sectionLength,
      ),
    ),
  ];
  if (table.length > 0) {
    const rows = preformatted(
      linesUpTo(
        table.map((row) => row.replaceAll('\n', ' ').slice(0, 240)),
        sectionLength - 200,
      ),
      sectionLength - 100,
    );
    blocks.push(section(tableTitle === undefined ? rows : `*${inline(tableTitle, 80)}*\n${rows}`));
  }
  blocks.push({ type: 'context', elements: [{ type: 'mrkdwn', verbatim: true, text: `As of ${localTime(time)}` }] });
  return { text: plain(`${title}: ${lines[0] ?? ''}`, 300), blocks };
}

/** Posts the notice once per key, then edits it in place; posts it again if somebody has deleted it. */
export async function showNotice(
  { cards, posting, channel }: { readonly cards: CardStore; readonly posting: Posting; readonly channel: string },
  notice: Notice,
): Promise<MessageRef> {
  const { key } = notice;
  const post = () => posting.postOnce(key, async () => ({ key, channel, ...noticeBlocks(notice) }));
  const known = await cards.message(key);
  if (known === undefined) return post();
  try {
    await posting.update({ key, message: known, ...noticeBlocks(notice) });
    return known;
  } catch (error) {
    if (!(error instanceof MessageGone)) throw error;
    await cards.forgetMessage(key);
    return post();
  }
}
