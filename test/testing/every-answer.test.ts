import { describe, expect, test } from '@jest/globals';
import { everyAnswer as inTests } from '../../authoring/testing.ts';
import {
  captureProcesses,
  deletePod,
  denyImage,
  openTicket,
  quarantinePod,
  snapshotPodState,
  verifyImage,
} from '../../core/actions/index.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook, type PlaybookContext } from '../../core/playbook/playbook.ts';
import { askAboutShell, containDroppedBinary, ticketSensitiveRead } from '../../playbooks/index.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { labelOf } from '../../testing/path-line.ts';
import { assessedAs } from '../fixtures/assessed.ts';
import { alertOf } from './alert-of.ts';

const on = { match: { rule: alertOf().rule }, minSeverity: 'critical', requires: ['pod'] } as const;
const onSilence = 'Nothing.';
type Verifying = PlaybookContext<{ readonly verifyImage: typeof verifyImage }, 'pod'>;
type Keeping = PlaybookContext<
  { readonly snapshotPodState: typeof snapshotPodState; readonly deletePod: typeof deletePod },
  'pod'
>;
const problemsOf = async (playbook: ListedPlaybook): Promise<readonly string[]> =>
  (await everyAnswer(playbook, alertOf())).problems;

describe('every answer of a shipped playbook', () => {
  test('is one line, which a test can pin', async () => {
    const { answers, problems, isCut } = await everyAnswer(
      askAboutShell,
      alertOf({ rule: 'Terminal shell in container', assessment: assessedAs('ask') }),
    );
    expect(answers).toEqual([
      'expected: captureProcesses, snapshotPodState; benign',
      'look: captureProcesses, snapshotPodState, openTicket; suspicious',
      'quarantine: captureProcesses, snapshotPodState, quarantinePod by oncall-1, openTicket; suspicious; quarantinePod in force',
      'silence: captureProcesses, snapshotPodState, openTicket',
    ]);
    expect(problems).toEqual([]);
    expect(isCut).toBe(false);
  });

  test('covers the outputs of actions that the body reads, and no others', async () => {
    const { answers, paths } = await everyAnswer(containDroppedBinary, alertOf());
    expect(answers).toContain(
      'remove, rotateSecret returns nothing: quarantinePod, snapshotPodState, openTicket, rotateSecret by oncall-1, deletePod by oncall-1; true_positive',
    );
    const outputs = paths.flatMap(({ turns }) =>
      turns.flatMap((turn) => (turn.kind === 'output' && turn.variant > 0 ? [turn.action] : [])),
    );
    expect([...new Set(outputs)]).toEqual(['rotateSecret']);
  });

  test.each([
    [
      'after an answer other than the first',
      async ({ alert, steps, ask }: Verifying) => {
        const image = await steps.verifyImage({ pod: alert.pod });
        const answer = await ask({ question: 'Yours?', choices: { yes: 'Yes', no: 'No' }, onSilence });
        if (answer.choice === 'no' && image.output.signature === 'unsigned') throw new RangeError('nobody thought of it');
      },
    ],
    [
      'within a saga',
      async ({ alert, saga }: Verifying) => {
        await saga(async (steps) => {
          const image = await steps.verifyImage({ pod: alert.pod });
          if (image.output.signature === 'unsigned') throw new RangeError('nobody thought of it');
        });
      },
    ],
  ] as const)('covers what a body reads %s', async (_when, body) => {
    const playbook = definePlaybook({ id: 'looks', title: 'Looks', on, uses: { verifyImage } }, body);
    expect(await problemsOf(playbook)).toContainEqual(expect.stringContaining('it stops: nobody thought of it'));
  });

  test('covers what a called playbook reads, and each path once', async () => {
    const called = definePlaybook(
      { id: 'called', title: 'Called', on, uses: { verifyImage } },
      async ({ alert, steps, ask, note }) => {
        const [one, other] = [await steps.verifyImage({ pod: alert.pod }), await steps.verifyImage({ pod: alert.pod })];
        const answer = await ask({ question: 'Yours?', choices: { yes: 'Yes', no: 'No' }, onSilence });
        note(answer.choice === 'no' ? `${one.output.signature}, ${other.output.signature}` : answer.choice);
      },
    );
    const calls = definePlaybook({ id: 'calls', title: 'Calls', on, uses: {} }, async ({ runPlaybook }) => {
      await runPlaybook(called);
    });
    const { paths } = await everyAnswer(calls, alertOf(), { others: [calls, called] });
    // Three answers, two failures, and three more for each of their two outputs, also combined, where people say no.
    expect(paths).toHaveLength(3 + 2 + 3 + 3 + 3 * 3);
    const signatures = ['signed', 'unsigned', 'unknown'];
    const pairs = signatures.flatMap((one) => signatures.map((other) => `${one}, ${other}`));
    expect(new Set(paths.flatMap(({ story }) => story.notes))).toEqual(new Set(['yes', 'silence', ...pairs]));
  });

  test('includes an unread failure once, and with each answer after which it is read', async () => {
    const looksLate = definePlaybook(
      { id: 'late', title: 'Late', on, uses: { snapshotPodState } },
      async ({ alert, steps, settle, ask, note }) => {
        const kept = settle({ state: steps.snapshotPodState({ pod: alert.pod }) });
        const first = await ask({ question: 'First?', choices: { a: 'A', b: 'B' }, onSilence });
        const second = await ask({ question: 'Second?', choices: { c: 'C', d: 'D' }, onSilence });
        note(`${first.choice} ${second.choice}${second.choice === 'd' && !(await kept).state.ok ? ', and nothing is kept' : ''}`);
      },
    );
    const { paths } = await everyAnswer(looksLate, alertOf());
    const failing = paths.filter(({ turns }) => turns.some((turn) => turn.kind === 'failure' && turn.fails));
    expect(failing.flatMap(({ story }) => story.notes).toSorted()).toEqual(
      ['a', 'b', 'silence'].flatMap((first) => [`${first} c`, `${first} d, and nothing is kept`]).toSorted(),
    );
  });

  test.each([
    [
      'something is destroyed',
      async ({ alert, steps, settle, ask }: Keeping) => {
        await settle({ state: steps.snapshotPodState({ pod: alert.pod }) });
        const plan = { end: await steps.deletePod.plan({ pod: alert.pod }) };
        const answer = await ask({ question: 'End it?', choices: { keep: 'No', end: 'Yes' }, plan, onSilence });
        if (answer.choice === 'end') await steps.deletePod({ pod: alert.pod }, answer.approval);
      },
    ],
    [
      'the body checks what is kept',
      async ({ alert, incident, steps, settle, ask }: Keeping) => {
        await settle({ state: steps.snapshotPodState({ pod: alert.pod }) });
        const answer = await ask({ question: 'End it?', choices: { keep: 'No', end: 'Yes' }, onSilence });
        if (answer.choice === 'end' && incident.evidence.length === 0) throw new RangeError('nobody thought of it');
      },
    ],
  ] as const)('includes each failure to keep evidence if %s', async (_when, body) => {
    const playbook = definePlaybook({ id: 'keeps', title: 'Keeps', on, uses: { snapshotPodState, deletePod } }, body);
    const { paths } = await everyAnswer(playbook, alertOf());
    expect(paths.map(labelOf)).toContainEqual(expect.stringMatching(/^snapshotPodState fails, end/));
  });

  test('includes failures that matter only together once each, and together with each answer after which they matter', async () => {
    const keepsTwo = definePlaybook(
      { id: 'two', title: 'Two', on, uses: { snapshotPodState, captureProcesses, deletePod } },
      async ({ alert: { pod }, steps, settle, ask, note }) => {
        await settle({ state: steps.snapshotPodState({ pod }), processes: steps.captureProcesses({ pod }) });
        const plan = { end: await steps.deletePod.plan({ pod }) };
        const answer = await ask({ question: 'End it?', choices: { keep: 'No', end: 'Yes' }, plan, onSilence });
        if (answer.choice === 'end') await steps.deletePod({ pod }, answer.approval);
        note(answer.choice);
      },
    );
    const { paths, notices } = await everyAnswer(keepsTwo, alertOf());
    const failing = paths.map(labelOf).filter((label) => label.includes('captureProcesses fails'));
    expect(failing.filter((label) => !label.includes('plan of'))).toEqual([
      'captureProcesses fails, keep',
      'snapshotPodState fails, captureProcesses fails, end, silence to the engine',
      'snapshotPodState fails, captureProcesses fails, end, waive to the engine',
      'snapshotPodState fails, captureProcesses fails, end, wait to the engine',
    ]);
    expect(notices).toContainEqual(
      expect.stringContaining('where the evidence cannot be kept, what people approved waits for it'),
    );
  });

  test('is also tried with each step failing', async () => {
    const { notices } = await everyAnswer(
      ticketSensitiveRead,
      alertOf({ rule: 'Read sensitive file untrusted', severity: 'medium' }),
    );
    expect(notices).toEqual([
      'it stops where a step fails, before anybody is asked: people are told, and what follows is not done (openTicket fails)',
    ]);
  });

  test('is refused for an alert that the playbook does not answer', async () => {
    await expect(everyAnswer(askAboutShell, alertOf())).rejects.toThrow(
      'ask-about-shell does not answer “Drop and execute new binary in container” (critical): see its `on`',
    );
  });
});

describe('a person should know about', () => {
  test('a pod that stays quarantined without anybody being asked', async () => {
    const playbook = definePlaybook(
      { id: 'cuts', title: 'Cuts', on, uses: { quarantinePod } },
      async ({ alert, steps, note }) => {
        await steps.quarantinePod({ pod: alert.pod });
        note('cut off');
      },
    );
    expect(await problemsOf(playbook)).toEqual(['quarantinePod on pod/shop/cart-1 stays in force, and nobody is asked about it']);
  });

  test('a question that is no longer asked if its plan fails', async () => {
    const playbook = definePlaybook(
      { id: 'plans', title: 'Plans', on, uses: { quarantinePod, deletePod } },
      async ({ alert, steps, ask }) => {
        await steps.quarantinePod({ pod: alert.pod });
        const end = await steps.deletePod.plan({ pod: alert.pod });
        const answer = await ask({ question: 'End it?', choices: { end: 'Yes', keep: 'No' }, plan: { end }, onSilence });
        if (answer.choice === 'end') await steps.deletePod({ pod: alert.pod }, answer.approval);
      },
    );
    expect(await problemsOf(playbook)).toContain(
      'quarantinePod on pod/shop/cart-1 stays in force, and nobody is asked about it (the plan of deletePod fails)',
    );
  });

  test('a choice whose plan is not carried out, and two choices with the same result', async () => {
    const playbook = definePlaybook(
      { id: 'asks', title: 'Asks', on, uses: { deletePod } },
      async ({ alert, steps, ask, note }) => {
        const answer = await ask({
          question: 'Delete it?',
          choices: { delete: 'Yes', keep: 'No' },
          plan: { delete: await steps.deletePod.plan({ pod: alert.pod }) },
          onSilence,
        });
        if (answer.choice !== 'silence') note('answered');
      },
    );
    expect(await problemsOf(playbook)).toEqual([
      '“delete” of “Delete it?” shows the plan of deletePod, which is not carried out (delete)',
      'it ends without an answer, a ticket or a note: nobody learns of it (silence)',
      '“delete” and “keep” of “Delete it?” come to the same (keep)',
    ]);
  });

  test('something harmless that stays cut off', async () => {
    const playbook = definePlaybook({ id: 'keeps', title: 'Keeps', on, uses: { quarantinePod, openTicket } }, async (context) => {
      const { alert, steps, ask, verdict } = context;
      await steps.quarantinePod({ pod: alert.pod });
      const answer = await ask({ question: 'Yours?', choices: { yes: 'Yes', no: 'No' }, harmless: ['yes'], onSilence });
      if (answer.choice === 'yes') verdict('benign', 'ours');
      else await steps.openTicket({ title: `${answer.choice}`, body: '', labels: [] });
    });
    expect(await problemsOf(playbook)).toEqual([
      'people call it harmless, and quarantinePod on pod/shop/cart-1 stays in force (yes)',
    ]);
  });

  test('a verdict that nobody has given, and a body that throws only on one answer', async () => {
    const playbook = definePlaybook(
      { id: 'errs', title: 'Errs', on, uses: { verifyImage } },
      async ({ alert, steps, verdict }) => {
        const { output } = await steps.verifyImage({ pod: alert.pod });
        if (output.signature === 'unknown') throw new RangeError('nobody thought of it');
        verdict('benign', 'it is signed');
      },
    );
    const problems = await problemsOf(playbook);
    expect(problems).toContainEqual(expect.stringMatching(/^a verdict does not count: benign: it is signed/));
    expect(problems).toContainEqual(
      expect.stringMatching(
        /^it stops: nobody thought of it, at .*every-answer\.test\.ts:\d+.* \(verifyImage returns signature unknown\)$/,
      ),
    );
  });

  test('a step that is refused if the alert is less severe than in the test', async () => {
    const playbook = definePlaybook(
      { id: 'hasty', title: 'Hasty', on: { ...on, minSeverity: 'high' }, uses: { quarantinePod, openTicket } },
      async ({ alert, steps, ask }) => {
        await steps.quarantinePod({ pod: alert.pod });
        await ask({ question: 'Yours?', choices: { no: 'No' }, onSilence });
        await steps.openTicket({ title: '', body: '', labels: [] });
      },
    );
    expect(await problemsOf(playbook)).toContain(
      'it stops: quarantinePod is not automatic here: the assessment does not say that pod/shop/cart-1 is to be cut off (least severity, silence to the engine)',
    );
  });

  test('destruction without evidence, a missing await, and a body that never ends', async () => {
    const destroys = definePlaybook(
      { id: 'destroys', title: 'Destroys', on, uses: { deletePod } },
      async ({ alert, steps, ask, note }) => {
        const plan = { go: await steps.deletePod.plan({ pod: alert.pod }) };
        const answer = await ask({ question: 'Go?', choices: { go: 'Yes' }, plan, onSilence });
        if (answer.choice === 'go') await steps.deletePod({ pod: alert.pod }, answer.approval);
        note('over');
      },
    );
    expect(await problemsOf(destroys)).toContain(
      'something is destroyed although no evidence of it was kept: it waits half an hour for some (go, silence to the engine)',
    );
    const hurries = definePlaybook({ id: 'hurries', title: 'Hurries', on, uses: { openTicket } }, async ({ steps }) => {
      void steps.openTicket({ title: '', body: '', labels: [] });
    });
    expect(await problemsOf(hurries)).toEqual([
      expect.stringMatching(/^openTicket on outside.* is not awaited: an await is missing$/),
    ]);
    const waits = definePlaybook({ id: 'waits', title: 'Waits', on, uses: {} }, () => new Promise<void>(() => undefined));
    expect(await problemsOf(waits)).toEqual([
      'it still runs after 30 days: it waits for something that never comes, or is in an endless loop',
    ]);
  });

  test('something lasting that is not containment only as a notice', async () => {
    const playbook = definePlaybook(
      { id: 'denies', title: 'Denies', on, uses: { denyImage, snapshotPodState } },
      async (context) => {
        const { steps, ask, note } = context;
        const input = { images: ['shop/cart:1'] };
        const answer = await ask({
          question: 'Deny?',
          choices: { deny: 'Yes' },
          plan: { deny: await steps.denyImage.plan(input) },
          onSilence,
        });
        if (answer.choice === 'deny') await steps.denyImage(input, answer.approval);
        note('asked');
      },
    );
    expect(await problemsOf(playbook)).toEqual([]);
  });
});

test('the number of runs is limited, and the result says so', async () => {
  const playbook = definePlaybook({ id: 'long', title: 'Asks much', on, uses: {} }, async ({ ask, note }) => {
    for (let nth = 0; nth < 6; nth += 1) {
      const { choice } = await ask({ question: `${nth}?`, choices: { a: 'A', b: 'B' }, onSilence });
      note(`${nth}: ${choice}`);
    }
  });
  const { isCut, paths } = await everyAnswer(playbook, alertOf(), { mostRuns: 20 });
  expect(isCut).toBe(true);
  expect(paths).toHaveLength(20);
});

test('a body that loops forever through steps is ended before its incident, and reported in one line', async () => {
  let steps = 0;
  const loops = definePlaybook(
    { id: 'loops', title: 'Loops', on, uses: { openTicket } },
    async ({ steps: { openTicket: file }, ask }) => {
      await ask({ question: 'Go?', choices: { yes: 'Yes', no: 'No' }, onSilence });
      for (;;) {
        await file({ title: 'again', body: '', labels: [] });
        steps += 1;
      }
    },
  );
  const { problems, answers, isCut } = await everyAnswer(loops, alertOf());
  expect(problems).toContainEqual(
    'it stops: it has begun more than 1500 steps, plans, questions and pauses: it is in a loop (yes)',
  );
  expect(answers[0]).toBe('yes: openTicket (1499 times); stops (FB_ERR_PLAYBOOK_LOOPS)');
  expect({ isCut, steps }).toEqual({ isCut: true, steps: 3 * 1_499 });
});

test('a called playbook is available if the test names it, and answers no alerts of its own', async () => {
  const second = definePlaybook({ id: 'second', title: 'Second', on, uses: { openTicket } }, async ({ steps }) => {
    await steps.openTicket({ title: 'a', body: 'b', labels: [] });
  });
  const first = definePlaybook({ id: 'first', title: 'First', on, uses: {} }, async ({ runPlaybook, note }) => {
    note((await runPlaybook(second)).state);
  });
  expect(await problemsOf(first)).toContainEqual(expect.stringContaining('playbook second is not enabled'));
  const { problems, answers } = await everyAnswer(first, alertOf(), { others: [first, second] });
  expect({ problems, answers }).toEqual({ problems: [], answers: ['always: openTicket; noted'] });
});

test('a playbook that counts, or waits for something missing, gets the alert that it needs', async () => {
  const rule = alertOf().rule;
  const match = {
    any: [
      { rule, count: { times: 3, within: '10m', per: 'pod' } },
      { rule, absent: { of: { rule: 'End' }, within: '1h' } },
    ],
  } as const;
  for (const one of match.any) {
    const timed = definePlaybook({ id: 'timed', title: 'Timed', on: { ...on, match: one }, uses: {} }, async ({ note }) =>
      note('seen'),
    );
    expect(exampleAlert(timed)).toMatchObject({ rule });
    expect((await inTests(timed, alertOf())).answers).toEqual(['always: nothing is done; noted']);
  }
});
