import { inputsOf } from '../dialogs.ts';
import type { InputBlock } from '../methods/block-schema.ts';
import type { SlackWorld } from '../world.ts';
import { plainToHtml } from './mrkdwn.ts';
import { attribute, blocksToHtml } from './page-blocks.ts';

/** The topmost modal that this person sees. `key` changes with its content, so that nobody loses what they have typed. */
export function modalFragment(world: SlackWorld, user: string): { readonly key: string; readonly html: string } {
  const open = world.openView(user);
  if (open === undefined) return { key: '', html: '' };
  const { view, id, hash } = open;
  const close = attribute(view.close?.text ?? 'Cancel');
  const submit =
    view.submit === undefined ? '' : `<button class="btn primary" type="submit">${plainToHtml(view.submit.text)}</button>`;
  const body = view.blocks.map((block) => (block.type === 'input' ? inputToHtml(block) : blocksToHtml([block], world))).join('');
  const mark = `<span class="avatar small bot"></span>`;
  return {
    key: `${id} ${hash}`,
    html: `<form data-view="${attribute(id)}" novalidate><header>${mark}<h3>${plainToHtml(view.title.text)}</h3><button class="close" type="button" data-close aria-label="Close">×</button></header><div class="modal-body">${body}</div><footer><span class="trouble" role="alert"></span><button class="btn" type="button" data-close>${close}</button>${inputsOf(view).length === 0 && submit === '' ? '' : submit}</footer></form>`,
  };
}

function inputToHtml(block: InputBlock): string {
  const id = attribute(block.block_id ?? '');
  const optional = block.optional === true ? ' <small>(optional)</small>' : '';
  const hint = block.hint === undefined ? '' : `<p class="hint">${plainToHtml(block.hint.text)}</p>`;
  return `<div class="block block-input" data-block="${id}"><label for="in-${id}">${plainToHtml(block.label.text)}${optional}</label>${elementToHtml(block, id)}<p class="error" role="alert"></p>${hint}</div>`;
}

function elementToHtml({ element }: InputBlock, id: string): string {
  const name = `id="in-${id}" name="${id}"`;
  switch (element.type) {
    case 'plain_text_input': {
      const placeholder = element.placeholder === undefined ? '' : ` placeholder="${attribute(element.placeholder.text)}"`;
      const focus = element.focus_on_load === true ? ' autofocus' : '';
      const value = attribute(element.initial_value ?? '');
      return element.multiline === true
        ? `<textarea ${name} rows="4"${placeholder}${focus}>${value}</textarea>`
        : `<input ${name} autocomplete="off" value="${value}"${placeholder}${focus}>`;
    }
    case 'static_select':
    case 'radio_buttons': {
      const options = element.options.map(
        ({ text, value }) =>
          `<option value="${attribute(value)}"${element.initial_option?.value === value ? ' selected' : ''}>${plainToHtml(text.text)}</option>`,
      );
      return `<select ${name}>${options.join('')}</select>`;
    }
    case 'checkboxes': {
      const ticked = new Set(element.initial_options?.map(({ value }) => value));
      const boxes = element.options.map(
        ({ text, value }) =>
          `<label class="tick"><input type="checkbox" name="${id}" value="${attribute(value)}"${ticked.has(value) ? ' checked' : ''}> ${plainToHtml(text.text)}</label>`,
      );
      return `<div class="ticks" id="in-${id}">${boxes.join('')}</div>`;
    }
    case 'datepicker':
      return `<input ${name} type="date" value="${attribute(element.initial_date ?? '')}">`;
    default:
      return `<input ${name}>`;
  }
}
