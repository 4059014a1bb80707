import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Effect } from '../../core/action/plan.ts';
import { actions } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { answering } from '../../core/playbook/answering.ts';
import { playbooks } from '../../playbooks/index.ts';
import { policyAlerts, waysInto } from './shipped-alerts.ts';
import { answersOf } from './shipped-answers.ts';

const nameOf = (id: string): string => id.split('/').at(-1) ?? id;
const ways = Object.entries(waysInto).flatMap(([name, alerts]) =>
  alerts.map((alert, at) => [name, `“${alert.rule}” (${alert.severity})`, at, alert] as const),
);

/** The agreed outcome of each answer: `node test/playbooks/record-answers.ts` writes it again, to be reviewed in the diff. */
const agreed: Readonly<Record<string, readonly (readonly string[])[]>> = fixture('shipped-answers.json');
/** What their pages in the docs show of it. */
const pictures: Readonly<Record<string, readonly Pictured[]>> = fixture('shipped-pictures.json');

interface Pictured {
  readonly questions: readonly {
    readonly text: string;
    readonly choices: readonly { readonly plans: readonly string[]; readonly people: number }[];
  }[];
}

function fixture(file: string) {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fixtures', file), 'utf8'));
}

describe('a shipped playbook', () => {
  test('always has alerts to try it with', () => {
    expect(Object.keys(waysInto).toSorted()).toEqual(playbooks.map(({ id }) => nameOf(id)).toSorted());
  });

  test.each(ways)('%s alone answers %s', (name, _what, _at, alert: Alert) => {
    const named = answering(playbooks, alert).map(({ id }) => nameOf(id));
    // Two playbooks look at unanswered alerts, below and from a high severity on.
    expect(named.filter((one) => one !== 'ticket-unanswered' || name === one)).toContain(name);
    if (!['ask-about-unanswered', 'ticket-unanswered'].includes(name)) expect(named).toEqual([name]);
  });

  test.each(ways)(
    '%s, on %s, does what was agreed for each answer, and leaves nothing in force that nobody is asked about',
    async (name, _what, at, alert) => {
      const playbook = playbooks.find(({ id }) => nameOf(id) === name);
      if (!playbook) throw new Error(`there is no ${name}`);
      const { problems, lines, shown } = await answersOf(playbook, alert);
      expect(problems).toEqual([]);
      expect(lines).toEqual(agreed[name]?.[at]);
      expect(shown).toEqual(pictures[name]?.[at]);
    },
  );

  test.each(policyAlerts.map(([name, alert]) => [name, alert.rule, alert] as const))(
    '%s alone answers a policy named %s',
    (name, _rule, alert) => expect(answering(playbooks, alert).map(({ id }) => nameOf(id))).toEqual([name]),
  );

  test('lets whoever is alone release a pod as well as destroy it', () => {
    const effects = new Map<string, Effect>(actions.map(({ name, effect }) => [name, effect]));
    const asked = Object.values(pictures).flatMap((shown) => shown.flatMap(({ questions }) => questions));
    const people = (choices: Pictured['questions'][number]['choices'], isOne: (plan: string) => boolean): number | undefined =>
      choices
        .filter(({ plans }) => plans.some(isOne))
        .map((choice) => choice.people)
        .toSorted((a, b) => a - b)[0];
    const released = asked.flatMap(({ text, choices }) => {
      const release = people(choices, (plan) => plan.startsWith('undo:'));
      return release === undefined
        ? []
        : [{ text, release, destroy: people(choices, (plan) => effects.get(plan) === 'destructive') }];
    });
    expect(released.length).toBeGreaterThan(10);
    expect(released.filter(({ release, destroy = 1 }) => release > destroy)).toEqual([]);
  });

  test('fits on one page', () => {
    const folder = join(import.meta.dirname, '..', '..', 'playbooks');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const long = files
      .filter((file) => file !== 'index.ts' && !file.startsWith('fragments/'))
      .filter((file) => readFileSync(join(folder, file), 'utf8').split('\n').length > 100);
    expect([long, files.length > playbooks.length]).toEqual([[], true]);
  });

  test('has a page in the documentation', () => {
    const docs = join(import.meta.dirname, '..', '..', 'docs', 'playbooks');
    expect(playbooks.map(({ id }) => nameOf(id)).filter((name) => !existsSync(join(docs, `${name}.md`)))).toEqual([]);
  });
});
