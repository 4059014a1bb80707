import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { timesText } from '../../core/playbook/schedule.ts';
import { ruleSets } from '../../core/rules/known-rules.ts';
import { playbooks } from '../../playbooks/index.ts';
import { coverageOf } from '../../service/coverage/coverage.ts';
import { projectRoot } from '../../service/process/project-root.ts';

export function pageName({ id }: Pick<ListedPlaybook, 'id'>): string {
  return id.split('/').at(-1) ?? id;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What each answer comes to, as its test holds it fast. */
const agreed: Readonly<Record<string, readonly (readonly string[])[]>> = JSON.parse(
  readFileSync(join(projectRoot(), 'test', 'fixtures', 'shipped-answers.json'), 'utf8'),
);

/** A line by answers alone begins with choices; all others say who asks, what is done and what is filed. */
const byAnswers = /^(?:always|[a-z]+(?:, [a-z]+)*): /;
const told = /^(?:note|ticket)\b/;

function waysOf(playbook: ListedPlaybook): readonly (readonly string[])[] {
  return (agreed[pageName(playbook)] ?? []).map((lines) => lines.filter((line) => byAnswers.test(line) && !told.test(line)));
}

function questionsOf(playbook: ListedPlaybook): readonly string[] {
  const lines = (agreed[pageName(playbook)] ?? []).flat().filter((line) => line.startsWith(`${playbook.id} asks `));
  return [...new Set(lines.map((line) => line.slice(`${playbook.id} asks `.length)))];
}

/** The choices as a tree, and at its ends what is done then. */
function diagram(lines: readonly string[]): string {
  const ids = new Map<string, string>();
  const idOf = (path: string): string => {
    const known = ids.get(path) ?? `n${ids.size}`;
    ids.set(path, known);
    return known;
  };
  const edges = new Set<string>();
  for (const line of lines) {
    const [choices = '', ...rest] = line.split(': ');
    const taken = choices === 'always' ? [] : choices.split(', ');
    let path = 'alert';
    for (const choice of taken) {
      edges.add(`  ${idOf(path)} -->|${choice}| ${idOf(`${path}/${choice}`)}`);
      path = `${path}/${choice}`;
    }
    const end = rest.join(': ').replaceAll('"', "'").replaceAll('; ', '<br>');
    edges.add(taken.length === 0 ? `  ${idOf(path)} --> ${idOf('end')}["${end}"]` : `  ${idOf(path)}["${end}"]`);
  }
  return ['```mermaid', 'flowchart LR', `  ${idOf('alert')}([alert])`, ...edges, '```'].join('\n');
}

/** `docs/playbooks/NAME.md` of a shipped playbook. */
export function playbookPage(playbook: ListedPlaybook): string {
  const { id, title, on, per = 'pod', uses, levels, headStart } = playbook;
  const covered = coverage().flatMap(({ set, rules }) =>
    rules
      .filter(({ answers }) => answers.some(({ playbooks: ids, rest }) => [...ids, ...rest].includes(id)))
      .map((one) => [one.rule.name, set.title, one.severity, one.mitre.join(', ')]),
  );
  const ways = waysOf(playbook);
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
        ['contains before its incident starts', headStart ? 'yes' : 'no'],
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
    ...(questionsOf(playbook).length > 0
      ? [
          '## What it asks',
          'About an alert of a pod, with what each choice would do and what silence means:',
          questionsOf(playbook)
            .map((line) => `- ${line}`)
            .join('\n'),
        ]
      : []),
    ...(ways.flat().length > 0
      ? [
          '## What each answer comes to',
          'Held fast by a test that goes every way (`test/playbooks/shipped.test.ts`). Several lists: on alerts of different severity or kind.',
          ...ways.flatMap((lines) => [diagram(lines), lines.map((line) => `- ${line}`).join('\n')]),
        ]
      : []),
    '## Which rules it answers',
    covered.length > 0
      ? table(['rule', 'rule set', 'severity', 'ATT&CK'], covered)
      : on.schedule
        ? 'None: it runs when its time has come.'
        : on.match === 'unanswered'
          ? 'Whatever no other enabled playbook answers.'
          : 'None of the public rule sets: its alerts are Firebreak’s own or the API server’s audit ([sensor](../sensors/kubernetes-audit.md)).',
  ].join('\n\n');
}

let made: ReturnType<typeof coverageOf> | undefined;

/** The same for all pages. */
function coverage(): ReturnType<typeof coverageOf> {
  made ??= coverageOf(playbooks, ruleSets);
  return made;
}

/** `docs/playbooks/README.md`. */
export function playbooksPage(): string {
  return [
    '# The shipped playbooks',
    'They are the pack `firebreak`. By itself a playbook contains one pod, on critical only, and what it does can be given back; whatever is wider or destroys something is asked. Below medium most ask nobody: what was seen is on record. Which rules are answered: [coverage.md](../coverage.md). How playbooks are tried: [playbook-tests.md](../playbook-tests.md).',
    table(
      ['playbook', 'what it does', 'from', 'rules of the public sets'],
      playbooks.map((playbook) => [
        `[${pageName(playbook)}](${pageName(playbook)}.md)`,
        playbook.title,
        playbook.on.minSeverity,
        String(
          coverage().flatMap(({ rules }) =>
            rules.filter(({ answers }) => answers.some(({ playbooks: ids }) => ids.includes(playbook.id))),
          ).length,
        ),
      ]),
    ),
  ].join('\n\n');
}
