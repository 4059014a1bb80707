import type { Block, Button, Overflow, TextObject } from '../methods/block-schema.ts';
import type { SlackWorld } from '../world.ts';
import { mrkdwnToHtml, plainToHtml } from './mrkdwn.ts';

/** Block Kit as HTML. */
export function blocksToHtml(blocks: readonly Block[], world: SlackWorld): string {
  return blocks.map((block) => `<div class="block block-${block.type}">${blockToHtml(block, world)}</div>`).join('');
}

function blockToHtml(block: Block, world: SlackWorld): string {
  switch (block.type) {
    case 'header':
      return plainToHtml(block.text.text);
    case 'divider':
      return '<hr>';
    case 'section': {
      const text = block.text === undefined ? '' : `<div class="text">${textToHtml(block.text, world)}</div>`;
      const fields = (block.fields ?? []).map((field) => `<div>${textToHtml(field, world)}</div>`).join('');
      const accessory =
        block.accessory?.type === 'button'
          ? buttonToHtml(block.accessory)
          : block.accessory?.type === 'overflow'
            ? menuToHtml(block.accessory)
            : '';
      return `${text}${fields === '' ? '' : `<div class="fields">${fields}</div>`}${accessory}`;
    }
    case 'context':
      return block.elements
        .map((element) =>
          element.type === 'image' ? picture(element.image_url, element.alt_text) : `<span>${textToHtml(element, world)}</span>`,
        )
        .join('');
    case 'actions':
      return block.elements
        .map((element) => {
          if (element.type === 'button') return buttonToHtml(element);
          return element.type === 'overflow' ? menuToHtml(element) : notShown(element.type);
        })
        .join('');
    case 'image':
      return picture(block.image_url, block.alt_text);
    case 'input':
      return `<label>${plainToHtml(block.label.text)}</label>${notShown(block.element.type)}`;
  }
}

function textToHtml(text: TextObject, world: SlackWorld): string {
  return text.type === 'plain_text'
    ? plainToHtml(text.text)
    : mrkdwnToHtml(text.text, { verbatim: text.verbatim === true, world });
}

function buttonToHtml(button: Button): string {
  const style = button.style === undefined ? '' : ` ${button.style}`;
  const asks = button.confirm;
  const confirm =
    asks === undefined
      ? ''
      : ` data-confirm="${attribute(
          JSON.stringify({
            title: plainToHtml(asks.title.text),
            text: plainToHtml(asks.text.text),
            confirm: plainToHtml(asks.confirm.text),
            deny: plainToHtml(asks.deny.text),
            style: asks.style ?? 'primary',
          }),
        )}"`;
  const value = button.value === undefined ? '' : ` data-value="${attribute(button.value)}"`;
  return `<button type="button" class="btn${style}" data-action="${attribute(button.action_id ?? '')}"${value}${confirm}>${plainToHtml(button.text.text)}</button>`;
}

function menuToHtml({ action_id: id = '', options }: Overflow): string {
  const entries = options.map(
    ({ text, value }) =>
      `<button type="button" role="menuitem" data-action="${attribute(id)}" data-option="${attribute(value)}">${plainToHtml(text.text)}</button>`,
  );
  return `<details class="menu"><summary class="btn" aria-label="More actions">⋯</summary><div role="menu">${entries.join('')}</div></details>`;
}

function picture(url: string, alt: string): string {
  return /^https?:\/\//.test(url) ? `<img src="${attribute(url)}" alt="${attribute(alt)}">` : '';
}

function notShown(type: string): string {
  return `<span class="not-shown">${attribute(type)}</span>`;
}

export function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
