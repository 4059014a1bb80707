import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { timesText } from '../../core/playbook/schedule.ts';
import { ruleSets } from '../../core/rules/known-rules.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { playbooks } from '../../playbooks/index.ts';
import { coverageOf } from '../../service/coverage/coverage.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { mermaidOf, type PlaybookGraph } from '../../testing/graph.ts';
import { drawingOf } from '../../testing/graph-layout.ts';
import { actionText, graphForPeople } from '../../testing/graph-words.ts';
import type { StoryQuestion } from '../../testing/story.ts';

export function pageName({ id }: Pick<ListedPlaybook, 'id'>): string {
  return id.split('/').at(-1) ?? id;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What a shipped playbook does on an alert, as pinned by its test (`test/playbooks/shipped.test.ts`). */
interface Picture {
  /** Rule and severity. */
  readonly alert: string;
  readonly graph: PlaybookGraph;
  readonly questions: readonly Question[];
}

type Question = Pick<StoryQuestion, 'text' | 'choices' | 'onSilence'>;

const pictures: Readonly<Record<string, readonly Picture[]>> = JSON.parse(
  readFileSync(join(projectRoot(), 'test', 'fixtures', 'shipped-pictures.json'), 'utf8'),
);

/** Each question once, with what its answers do and what silence means. If something goes wrong, fewer answers are offered: such cases are left out. */
function questionsOf(playbook: ListedPlaybook, all: readonly Picture[]): readonly string[] {
  const asked = all.flatMap(({ questions }) => questions);
  const offersAllOf = (one: Question, other: Question): boolean =>
    one.text === other.text &&
    one.onSilence === other.onSilence &&
    one.choices.length > other.choices.length &&
    other.choices.every((choice) => one.choices.some((same) => isDeepStrictEqual(same, choice)));
  const shown = asked.filter((question) => !asked.some((fuller) => offersAllOf(fuller, question)));
  const blocks = shown.map(({ text, choices, onSilence }) => {
    const rows = choices.map(({ id, label, plans, people, isHarmless }) => [
      `\`${id}\` “${label}”`,
      plans.map((plan) => planText(playbook, plan)).join('; ') || (isHarmless ? 'nothing: the alert was harmless' : 'nothing'),
      String(people),
    ]);
    return `**${text}**\n\n${table(['answer', 'what it does', 'people'], [...rows, ['`silence`: nobody answers', onSilence, '']])}`;
  });
  return [...new Set(blocks)];
}

/** An action, or the release of one. */
function planText(playbook: ListedPlaybook, plan: string): string {
  const name = plan.replace('undo:', '');
  return actionText(playbook, name, plan === name ? 'done' : 'undone');
}

/** The console's drawings of the shipped playbooks: by id, one drawing for each alert that its test uses. */
export function playbookDrawings(): string {
  const drawings = playbooks.map((playbook) => {
    const shown = pictures[pageName(playbook)] ?? [];
    return [playbook.id, shown.map(({ alert, graph }) => ({ alert, ...drawingOf(graphForPeople(playbook, graph)) }))] as const;
  });
  return `{\n${drawings.map(([id, of]) => `${JSON.stringify(id)}: ${JSON.stringify(of)}`).join(',\n')}\n}\n`;
}

/** Generates `docs/playbooks/NAME.md` for a shipped playbook. */
export function playbookPage(playbook: ListedPlaybook): string {
  const { id, title, on, per = 'pod', uses, levels, contains } = playbook;
  const covered = coverage().flatMap(({ set, rules }) =>
    rules
      .filter(({ answers }) => answers.some(({ playbooks: ids, rest }) => [...ids, ...rest].includes(id)))
      .map((one) => [one.rule.name, set.title, one.severity, one.mitre.join(', ')]),
  );
  const shown = pictures[pageName(playbook)] ?? [];
  const questions = questionsOf(playbook, shown);
  return [
    `# ${title}`,
    `\`${id}\``,
    table(
      ['', ''],
      [
        ...(on.schedule ? [['runs', `${timesText(on.schedule)}: [scheduled playbooks](../schedules.md)`]] : []),
        [on.schedule ? 'severity of its incident' : 'from severity', on.minSeverity],
        ['needs of the alert', on.requires.join(', ') || 'nothing'],
        ['runs once per', per],
        [
          'asks',
          levels
            ?.map(
              ({ group, within, page }) => `${group} (${within}${page ? `, called${page === true ? '' : ' on critical'}` : ''})`,
            )
            .join(', then ') ?? 'those who decide on incidents',
        ],
        ['may contain at once', contains === undefined ? 'nothing' : `the alert’s ${contains}`],
      ],
    ),
    '## What it may do',
    table(
      ['action', 'what it does', 'effect', 'reach', ''],
      Object.values(uses).map(({ name, title: does, effect, reach, optIn, pool }) => [
        `[\`${name}\`](../actions.md#${name.toLowerCase()})`,
        does,
        effect,
        reach,
        effect !== 'read' ? '' : optIn ? 'where it is turned on' : pool === 'forensics' ? 'where there are tools' : '',
      ]),
    ),
    ...(questions.length > 0 ? ['## What it asks', ...questions] : []),
    '## What each answer leads to',
    'Drawn from a test that tries every path (`test/playbooks/shipped.test.ts`). Steps that destroy something have a red frame.',
    ...shown.flatMap(({ alert, graph }) => [
      `On ${alert}:`,
      ['```mermaid', mermaidOf(graphForPeople(playbook, graph)), '```'].join('\n'),
    ]),
    '## Which rules it answers',
    covered.length > 0
      ? table(['rule', 'rule set', 'severity', 'ATT&CK'], covered)
      : on.schedule
        ? 'None: it runs on a schedule.'
        : on.match === 'unanswered'
          ? 'Whatever no other enabled playbook answers.'
          : 'None in the public rule sets: its alerts are Firebreak’s own or the API server’s audit ([sensor](../sensors/kubernetes-audit.md)).',
  ].join('\n\n');
}

let made: ReturnType<typeof coverageOf> | undefined;

/** Shared by all pages. */
function coverage(): ReturnType<typeof coverageOf> {
  made ??= coverageOf(playbooks, ruleSets);
  return made;
}

interface MutationScore {
  readonly noticed: number;
  readonly of: number;
  readonly at: string;
  /** Beginning of the hash of the file as it was tested. */
  readonly sha256: string;
}

const scores: Readonly<Record<string, MutationScore>> = JSON.parse(
  readFileSync(join(projectRoot(), 'test', 'fixtures', 'mutation-scores.json'), 'utf8'),
);

/** Score of this playbook's file, whichever folder it is in. */
function scoreOf(name: string): string {
  const [file, score] = Object.entries(scores).find(([one]) => one.endsWith(`/${name}.ts`)) ?? [];
  if (file === undefined || !score) return '';
  const isAsTried = sha256Hex(readFileSync(join(projectRoot(), file))).startsWith(score.sha256);
  return `${score.noticed} of ${score.of} (${score.at}${isAsTried ? '' : ', before its last change'})`;
}

/** Text about the parts that playbooks share, as far as they were tested. */
function fragmentsText(): string {
  const place = 'playbooks/fragments/';
  const found = Object.entries(scores).filter(([file]) => file.startsWith(place));
  return found.map(([file, { noticed, of }]) => `\`${file.slice(place.length)}\` ${noticed} of ${of}`).join(', ');
}

/** Generates `docs/playbooks/README.md`. */
export function playbooksPage(): string {
  return [
    '# The shipped playbooks',
    'They are the pack `firebreak`. Without people, only the alert’s pod is contained, if the [assessment](../assessment.md) says so and a playbook that answers it *may contain*: also while Temporal is down. That can be undone. Before anything wider or destructive, people are asked. Below medium most ask nobody: what was seen is on record. Which rules they answer: `firebreak playbooks coverage`, or the console. How playbooks are tried: [playbook-tests.md](../playbook-tests.md).',
    table(
      ['playbook', 'what it does', 'from', 'may contain', 'rules of the public sets', 'changes noticed'],
      playbooks.map((playbook) => [
        `[${pageName(playbook)}](${pageName(playbook)}.md)`,
        playbook.title,
        playbook.on.minSeverity,
        playbook.contains === 'pod' ? 'yes' : '',
        String(
          coverage().flatMap(({ rules }) =>
            rules.filter(({ answers }) => answers.some(({ playbooks: ids }) => ids.includes(playbook.id))),
          ).length,
        ),
        scoreOf(pageName(playbook)),
      ]),
    ),
    `*Changes noticed:* a step dropped, a choice swapped or a condition inverted in its file, and how many of these changes its tests notice (\`test/playbooks/mutate.ts\`, on the day given). Of the changes to what they share: ${fragmentsText()}.`,
  ].join('\n\n');
}
