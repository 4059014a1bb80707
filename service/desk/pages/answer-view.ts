import type { QuestionCard } from '../../../core/cards/card.ts';
import { heldText, leftText, notHeld, surenessOf } from '../../../core/cards/card-words.ts';
import { nameToType } from '../../../core/cards/guarded-choice.ts';
import type { ShownField } from '../../../core/decide/form.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import type { Person } from '../../../core/people/roster.ts';
import { utcWords, wholeTargetText } from '../../../core/text/plain-text.ts';
import { longestReason } from '../../../core/text/reason.ts';
import { sizeText } from '../../../integrations/slack/views/text.ts';
import { type Names, statusText } from '../../incidents/names.ts';
import { html, list, page } from './page-html.ts';

/** The submitted form, unchanged. */
export interface TypedAnswer {
  readonly choice: string;
  readonly person: string;
  readonly reason: string;
  readonly target: string;
  /** Digest of the question that the page showed. */
  readonly asked: string;
  /** Keyed by `pageField`. */
  readonly form: Readonly<Record<string, string>>;
}

export const nothingTyped: TypedAnswer = { choice: '', person: '', reason: '', target: '', asked: '', form: {} };

export const pageFieldPrefix = 'form:';

/** The name of a field on the page, on which every choice has its own fields. */
export function pageField(choice: string, name: string): string {
  return `${pageFieldPrefix}${choice}:${name}`;
}

type Choice = QuestionCard['choices'][number];

/** What a page shows of a question, with or without a card. */
export type ShownQuestion = Pick<
  QuestionCard,
  'text' | 'contained' | 'left' | 'evidence' | 'choices' | 'onSilence' | 'deadline'
> & {
  /** Digest of the question, as signed by a vote. */
  readonly digest: string;
  readonly incident: Omit<QuestionCard['incident'], 'id' | 'run'>;
  readonly happened: readonly string[];
  readonly level: Pick<QuestionCard['level'], 'group' | 'until'>;
};

export function shownOfCard(card: QuestionCard): ShownQuestion {
  return { ...card, digest: card.questionDigest, happened: happened(card) };
}

/** Another page of this desk, by its path. */
export interface PageLink {
  readonly path: string;
  readonly text: string;
}

/** The card as a page with an answer form, for when Slack is down. Everything in it is treated as written by an attacker. */
export function answerView(view: {
  readonly asked: ShownQuestion;
  /** The incident's own state of it; absent while the incident does not answer. */
  readonly current: QuestionState | undefined;
  /** Outcomes of votes on it, newest last. */
  readonly said: readonly string[];
  /** Other questions that can be answered: about what is in force. */
  readonly further: readonly PageLink[];
  /** Names of people. */
  readonly names: Pick<Names, 'person'>;
  /** People who can sign in. */
  readonly people: readonly Person[];
  readonly typed: TypedAnswer;
  readonly problems: readonly string[];
}): string {
  const { asked, current, said, further, names, people, typed, problems } = view;
  const { incident, contained, evidence, text, left } = asked;
  const over = current && current.status.state !== 'open' ? statusText(current, names) : undefined;
  return page(
    text,
    [
      `<p>${html(incident.severity.toUpperCase())}: ${html(wholeTargetText(incident.title))}, cluster ${html(incident.cluster)}</p>`,
      ...problems.map((problem) => `<p class="wrong">${html(problem)}</p>`),
      ...(over === undefined ? [] : [`<p><strong>This is no longer asked: ${html(over)}</strong></p>`]),
      ...(current ? [] : ['<p class="wrong">The incident does not answer at the moment: this is its last known state.</p>']),
      ...(over === undefined ? [whenAndWho(asked, current)] : []),
      list('What happened', asked.happened),
      list(
        'Contained',
        contained.length === 0
          ? [`${notHeld}.`]
          : contained.map(
              (held) =>
                `${heldText(held)}: ${surenessOf(held)}, since ${utcWords(held.since)}, until ${held.until ? utcWords(held.until) : 'somebody ends it'}${held.detail === undefined ? '' : ` (${held.detail})`}${held.effect === undefined ? '' : `. ${held.effect}`}`,
            ),
      ),
      ...(left ? [list('Remaining capacity', leftLines(left))] : []),
      list(
        'Evidence kept',
        evidence.map(({ name, bytes, sha256 }) => `${name}, ${sizeText(bytes)}, SHA-256 ${sha256.slice(0, 12)}`),
      ),
      list('What people have said', said),
      ...(over === undefined ? [form({ asked, current, people, typed })] : []),
      links('You can also decide about what is in force', further),
    ].join('\n'),
  );
}

/** Comes first: how much time is left, and whether the question is for the reader. */
function whenAndWho({ level, onSilence, deadline }: ShownQuestion, current: QuestionState | undefined): string {
  const group = current?.question.levels[current.level]?.group ?? level.group;
  const names = current?.answerers && [...new Set(current.answerers.levels.slice(0, current.level + 1).flat())];
  const who = names === undefined ? '' : ` (${names.length === 0 ? 'none of them can answer now' : names.join(', ')})`;
  return `<p><strong>Until ${html(utcWords(current?.levelUntil ?? level.until))}</strong> ${html(group)} is asked${html(who)}. If nobody answers${deadline === undefined ? '' : ` by ${html(utcWords(deadline))}`}: ${html(onSilence)}</p>`;
}

function links(title: string, to: readonly PageLink[]): string {
  if (to.length === 0) return '';
  const items = to.map(({ path, text }) => `<li><a href="${html(path)}">${html(text)}</a></li>`);
  return `<h2>${html(title)}</h2><ul>${items.join('')}</ul>`;
}

function leftLines(left: NonNullable<QuestionCard['left']>): readonly string[] {
  const { services, budgets = [], secrets } = left;
  const line = (what: string, names: readonly string[]) => (names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]);
  return [
    `${leftText(left)}, ${utcWords(left.at)}`,
    ...line('Services', services),
    ...line('Disruption budgets', budgets),
    ...line('Secrets', secrets),
  ];
}

function happened({ happened: what }: QuestionCard): readonly string[] {
  const line = (name: string, value: string | undefined) => (value === undefined ? [] : [`${name}: ${value}`]);
  return [
    `${what.rule} (${what.sensor}), ${utcWords(what.at)}, ${what.count} ${what.count === 1 ? 'time' : 'times'}`,
    ...line('In doubt', what.doubt),
    ...line('Pod', what.pod),
    ...line('Image', what.image),
    ...line('Signature of the image', what.signature),
    ...line('Process', what.process),
    ...line('Command line', what.commandLine),
  ];
}

function form(view: {
  readonly asked: ShownQuestion;
  readonly current: QuestionState | undefined;
  readonly people: readonly Person[];
  readonly typed: TypedAnswer;
}): string {
  const { asked, current, people, typed } = view;
  const { choices } = asked;
  const toType = new Set(choices.flatMap((choice) => nameToType(asked, choice) ?? []));
  const named = [...toType].join(' or ');
  const options = people.map(
    ({ id, name }) => `<option value="${html(id)}"${id === typed.person ? ' selected' : ''}>${html(name)}</option>`,
  );
  const target =
    toType.size > 0
      ? `<label>Only for what cannot be undone: the last four characters of ${html(named)}
<input type="text" name="target" maxlength="40" autocomplete="off" value="${html(typed.target)}"></label>`
      : '';
  return `<form method="post">
<input type="hidden" name="asked" value="${html(asked.digest)}">
<fieldset><legend>Your answer</legend>${choices.map((choice) => radio(choice, typed, current)).join('')}</fieldset>
<label>Who you are <select name="person" required><option value="">…</option>${options.join('')}</select></label>
<label>Why (signed with your answer, and kept on the record) <textarea name="reason" rows="3" maxlength="${longestReason}">${html(typed.reason)}</textarea></label>
${target}
<button>Continue to sign-in</button>
</form>
<p>Nothing is decided until you have signed in.</p>`;
}

function radio(choice: Choice, typed: TypedAnswer, current: QuestionState | undefined): string {
  const { id, label, quorum, destructive, weakens, changes, blastRadius, notes } = choice;
  const warning = destructive ? ' This cannot be undone.' : weakens ? ' This weakens the response.' : '';
  const said = (current?.votes ?? []).filter(({ vote }) => vote.choice === id).length;
  const people = quorum > 1 ? ` Needs ${quorum} people${said > 0 ? `, ${said} so far` : ''}.` : '';
  return `<div class="choice"><label><input type="radio" name="choice" required value="${html(id)}"${id === typed.choice ? ' checked' : ''}> <strong>${html(label)}</strong>${people}${warning}</label>
${list('What it does', changes)}${list('What it touches', blastRadius)}${list('Note', notes)}${fields(choice, typed)}</div>`;
}

function fields({ id, form = {} }: Choice, typed: TypedAnswer): string {
  return Object.entries(form)
    .map(([name, of]) => {
      const field = pageField(id, name);
      const value = typed.form[field] ?? '';
      const hint = of.hint === undefined ? '' : ` <small>${html(of.hint)}</small>`;
      return `<label>${html(of.label)}${hint} ${input(of, field, value)}</label>`;
    })
    .join('\n');
}

function input(of: ShownField, field: string, value: string): string {
  const name = `name="${html(field)}"`;
  if (of.kind === 'number')
    return `<input type="number" ${name} min="${of.min}" max="${of.max}" step="any" value="${html(value)}">`;
  if (of.kind === 'text') return `<textarea ${name} rows="2" maxlength="${of.longest}">${html(value)}</textarea>`;
  const chosen = new Set(value.split(','));
  const options: readonly (readonly [string, string])[] =
    of.kind === 'choice' ? Object.entries(of.options) : (of.people ?? []).map((person) => [person.id, person.name] as const);
  const items = options.map(
    ([id, text]) => `<option value="${html(id)}"${chosen.has(id) ? ' selected' : ''}>${html(text)}</option>`,
  );
  return of.kind === 'choice'
    ? `<select ${name}><option value="">…</option>${items.join('')}</select>`
    : `<select ${name} multiple>${items.join('')}</select>`;
}
