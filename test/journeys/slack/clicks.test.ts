import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { incidentNames } from '../../../core/incident/incident.ts';
import { auditReport } from '../../../service/commands/records/audit.ts';
import { people } from '../../../tools/demo/settings.ts';
import type { Forgery } from '../../fakes/slack/index.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { containedAt, ended } from '../../platform/e2e/parts/oracle.ts';
import { ana, ben, deskRecords, knowsDialog, labels, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const margaret = 'U0MARGARET';
const tom = 'U0TOM';
const robot = 'U0ROBOT';
const otto = 'U0OTTO';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let namespace: string;
/** A workload whose question stays open through all refused clicks. */
let asked: Workload;

beforeAll(async () => {
  namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.roster = {
      people: [...people, { id: 'otto', name: 'Otto' }].map(({ id, name }) => ({
        id,
        name,
        slack: [`U0${id.toUpperCase()}`],
        accounts: [`${id}@example.com`],
      })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'], finance: ['otto'] },
    };
  });
  await service.start();
  [asked] = (await service.workloads.deploy(namespace, ['asked'])) as [Workload];
  await service.alert(asked);
  await service.cardOf(asked);
  await containedAt(service, [asked]);
});

afterAll(() => service?.stop());

/** Records of clicks that were refused before they reached an incident. Unsigned requests are not among them: they are only counted. */
async function refusals(): Promise<readonly AuditRecord[]> {
  return (await deskRecords(service)).filter(({ kind }) => kind !== 'door.refused');
}

/** Excludes the extension of the lease. */
const isAcceptedOnQuestion = ({ kind, text }: { readonly kind: string; readonly text: string }): boolean =>
  kind === 'vote.accepted' && !text.endsWith(': Extend it');

const reasonOf = ({ body }: AuditRecord): string => String(body.reason);

async function expectRecorded(reason: string, before: number): Promise<void> {
  const records = await until('the record', 120_000, async () => {
    const all = await refusals();
    return all.length > before && all;
  });
  expect(records.slice(before).map(reasonOf)).toEqual([reason]);
}

async function expectNothingDecided(): Promise<void> {
  const question = (await service.state(asked))?.questions.find(({ question: { id } }) => !id.startsWith('lease:'));
  expect(question).toMatchObject({ status: { state: 'open' }, votes: [] });
  expect(service.effects.of('delete', podOf(asked))).toEqual([]);
  expect(service.effects.of('give-back', podOf(asked))).toEqual([]);
}

describe('a click that is not genuinely from Slack is refused with 401 and counted:', () => {
  const cases: readonly (readonly [string, Forgery, string])[] = [
    ['unsigned', { unsigned: true }, 'unsigned'],
    ['forged', { signingSecret: 'not-the-secret' }, 'bad_signature'],
    ['old', { clockSeconds: -360 }, 'too_old'],
    ['future-dated', { clockSeconds: 360 }, 'future_dated'],
  ];
  test.each(cases)('%s', async (_name, forge, reason) => {
    const { channel, ts } = await service.cardOf(asked);
    const delivery = await service.slack.click({ user: ana, channel, ts, buttonText: labels.remove, dialog: 'leave', forge });
    expect(delivery.status).toBe(401);
    expect(delivery.body).toContain(reason);
    await expectNothingDecided();
  });

  test('replayed', async () => {
    const before = (await refusals()).length;
    const { channel, ts } = await service.cardOf(asked);
    const { request } = await service.slack.click({
      user: tom,
      channel,
      ts,
      buttonText: labels.remove,
      dialog: 'leave',
    });
    await expectRecorded('not on the roster', before);
    expect((await service.slack.resend(request)).status).toBe(401);
    await expectNothingDecided();
  });
});

describe('a genuine click is refused, answered and recorded when it comes', () => {
  const cases: readonly (readonly [string, string, Forgery, string, RegExp])[] = [
    ['from outside the roster', tom, {}, 'not on the roster', /not on the roster/],
    ['from a group that is not asked', otto, {}, 'not on call in oncall, leads', /Only oncall or leads may answer/],
    ['from a bot', robot, {}, 'bot', /Bots may not decide/],
    ['on a stale card', ana, { messageTs: '1700000000.000001' }, 'stale_card', /out of date/],
    ['with a button that was never posted', ana, { inventedValue: 'b_invented' }, 'unknown_button', /does not know this button/],
  ];
  test.each(cases)('%s', async (_name, user, forge, reason, answer) => {
    const before = (await refusals()).length;
    const heard = service.slack.ephemerals(user).length;
    const { channel, ts } = await service.cardOf(asked);
    const { status } = await service.slack.click({ user, channel, ts, buttonText: labels.remove, dialog: 'leave', forge });
    expect(status).toBe(200);
    expect((await until('an answer', 120_000, () => service.slack.ephemerals(user)[heard])).text).toMatch(answer);
    await expectRecorded(reason, before);
    await expectNothingDecided();
  });
});

describe('/firebreak', () => {
  async function answer(user: string, text: string): Promise<string> {
    const heard = service.slack.ephemerals(user).length;
    const { channel } = await service.cardOf(asked);
    await service.slack.command({ user, channel, command: '/firebreak', text });
    const message = await until(`an answer to ${text}`, 120_000, () => service.slack.ephemerals(user)[heard]);
    return JSON.stringify(message.blocks);
  }
  const id = () => `${namespace}/Deployment/${asked.name}`;

  const asks: readonly (readonly [string, () => string, RegExp])[] = [
    ['who you are', () => 'whoami', /Ada Byron.*You may answer for `oncall` now/],
    ['the open incidents', () => 'incidents', /CRITICAL|critical/],
    ['one incident', () => `show ${id()}`, /quarantine pod on .*Asked:.*Timeline/],
    [
      'the same incident as named on the card, with a phone’s capital letter',
      () => `Show deployment/${namespace}/${asked.name}`,
      /quarantine pod on /,
    ],
    ['what is waiting for you', () => 'questions', /What is waiting for you.*Is the new binary in/],
    ['which commands there are', () => '', /\/firebreak release ID\*/],
    [
      'that an incident does not exist',
      () => 'show shop/Deployment/none',
      /there is no incident.*FB_ERR_UNKNOWN_ID.*firebreak incidents` lists/,
    ],
    [
      'that nothing that could be ended has this id',
      () => 'unfreeze zzz it is over',
      /no freeze, observe mode or break-glass session with the id zzz/,
    ],
    ['that no suppression has this id', () => 'suppress end zzz it is over', /no suppression with the id zzz/],
    [
      'where to decide a release that a card asks about',
      () => `release ${id()} our own`,
      /An open question decides whether this is released: “Is the new binary in .* Answer that question/,
    ],
    [
      'that the reason for a release is too long',
      () => `release ${id()} ${'x'.repeat(501)}`,
      /at most 500 characters; this one has 501/,
    ],
  ];
  test.each(asks)('says %s', async (_what, text, expected) => {
    expect(await answer(ana, text())).toMatch(expected);
    await expectNothingDecided();
  });

  test('shows what is waiting only to the people it is waiting for', async () => {
    expect(await answer(otto, 'questions')).toContain('Nothing is waiting for you.');
  });

  test('is refused, answered and recorded for anyone not on the roster', async () => {
    const before = (await refusals()).length;
    expect(await answer(tom, `show ${id()}`)).toContain('not on the roster');
    await expectRecorded('not on the roster', before);
  });

  test('extends a containment by a vote like any other', async () => {
    expect(await answer(ana, `extend ${id()}`)).toMatch(/Received: “Extend it”/);
    await service.stateWhen('the extension', asked, 120_000, ({ leases }) => leases.some(({ renewals }) => renewals === 1));
  });
});

describe('the menu of a card', () => {
  const pick = async (user: string, optionText: string, dialog: 'leave' | Readonly<Record<string, string>> = 'leave') => {
    const { channel, ts } = await service.cardOf(asked);
    return service.slack.click({ user, channel, ts, optionText, dialog });
  };

  const details = async (user: string) => {
    const { channel, ts } = await service.cardOf(asked);
    return service.slack.click({ user, channel, ts, buttonText: 'Details', dialog: 'leave' });
  };

  test('shows the whole timeline in a dialog', async () => {
    const { view } = await service.dialogAfter(ana, () => details(ana));
    expect(JSON.stringify(view.blocks)).toMatch(/quarantine pod on .*Timeline.*Is the new binary in .* expected/);
  });

  test('adds a comment to the thread and the record', async () => {
    await pick(ben, 'Comment', { fb_comment: 'Our scanner does that.' });
    const text = 'Grace Murray: Our scanner does that.';
    await until('the thread', 120_000, () => service.slack.world.messages.some((one) => one.threadTs && one.text === text));
    await service.stateWhen('the record', asked, 120_000, ({ timeline }) => timeline.some((one) => one.text === text));
    await expectNothingDecided();
  });

  test('does nothing for anyone not on the roster, and says so', async () => {
    const before = (await refusals()).length;
    await details(tom);
    await expectRecorded('not on the roster', before);
    expect(service.slack.world.openView(tom)).toBeUndefined();
  });
});

describe('the dialog of a destructive choice', () => {
  const right = { fb_target: '', fb_reason: 'Nobody built this binary' };

  async function opened(user: string) {
    const { channel, ts } = await service.cardOf(asked);
    const view = await service.dialogAfter(user, () =>
      service.slack.click({ user, channel, ts, buttonText: labels.remove, dialog: 'leave' }),
    );
    await until('that the desk knows the dialog', 60_000, () => knowsDialog(service, view.id));
    return { viewId: view.id, typed: { ...right, fb_target: asked.pod.slice(-4) } };
  }

  const forgeries: readonly (readonly [string, Forgery, number, string])[] = [
    ['forged', { signingSecret: 'not-the-secret' }, 401, 'bad_signature'],
    ['old', { clockSeconds: -360 }, 401, 'too_old'],
    ['with an invented id', { privateMetadata: 'm_invented' }, 200, 'unknown_dialog'],
    ['with another view’s id', { viewId: 'V99999999' }, 200, 'unknown_dialog'],
  ];
  test.each(forgeries)('%s is refused, and recorded or counted', async (_name, forge, status, reason) => {
    const before = (await refusals()).length;
    const dialog = await opened(ana);
    expect((await service.slack.submitView({ ...dialog, user: ana, forge })).status).toBe(status);
    if (status === 200) await expectRecorded(reason, before);
    await expectNothingDecided();
  });

  test('submitted by somebody else, even if they may answer too, is refused, answered and recorded', async () => {
    const before = (await refusals()).length;
    const heard = service.slack.ephemerals(ben).length;
    const dialog = await opened(ana);
    await service.slack.submitView({ ...dialog, user: ben });
    expect((await until('an answer', 120_000, () => service.slack.ephemerals(ben)[heard])).text).toMatch(/Somebody else opened/);
    await expectRecorded('not_opener', before);
    await expectNothingDecided();
  });

  test('with the wrong four characters, or no reason, decides nothing', async () => {
    const dialog = await opened(ana);
    const wrong = await service.slack.submitView({ ...dialog, user: ana, typed: { fb_target: 'zzzz', fb_reason: '   .' } });
    expect(wrong.result).toMatchObject({
      outcome: 'errors',
      errors: { fb_target: expect.any(String), fb_reason: expect.any(String) },
    });
    await expectNothingDecided();
  });
});

test('a click from a group that is asked only later is refused by the cell, answered, and recorded in the incident', async () => {
  expect((await service.click(asked, margaret, labels.remove)).status).toBe(200);
  await until('the answer', 120_000, () =>
    service.slack.ephemerals(margaret).some(({ text }) => text.startsWith('Only oncall may answer')),
  );
  const { timeline } = await service.stateWhen('the refusal', asked, 120_000, (state) =>
    state.timeline.some(({ kind }) => kind === 'vote.refused'),
  );
  expect(timeline.find(({ kind }) => kind === 'vote.refused')).toMatchObject({ actor: 'person/margaret' });
  await expectNothingDecided();
});

test('a person whom an alert names as the actor has no say in it, but somebody else does', async () => {
  const [insider] = (await service.workloads.deploy(namespace, ['insider'])) as [Workload];
  await service.alert(insider, 'shell', { user: 'ada@example.com' });
  await service.cardOf(insider);
  await service.click(insider, ana, 'No: quarantine pod');
  await until('the answer', 120_000, () =>
    service.slack.ephemerals(ana).some(({ text }) => text.startsWith('An alert of this incident names you as the actor')),
  );
  await service.click(insider, ben, 'No: quarantine pod');
  const { timeline, actors } = await service.stateWhen('the decision', insider, 120_000, (state) =>
    state.questions.some(({ status }) => status.state === 'decided'),
  );
  expect(actors).toEqual(['ada']);
  expect(timeline.filter(({ kind }) => kind === 'question.decided')).toMatchObject([{ actor: 'person/grace' }]);
});

describe('a vote that did not come through the desk', () => {
  test('sent with Temporal’s client, encrypted or plain, changes nothing, and blocks nobody’s vote', async () => {
    const { client } = await service.session();
    const connection = await Connection.connect({ address: temporalAddress });
    const plain = new Client({ connection, namespace: temporalNamespace });
    const state = await service.state(asked);
    const question = state?.questions.find(({ question: { id } }) => !id.startsWith('lease:'));
    const forged = (person: string, choice: string) => ({
      vote: {
        version: 1,
        id: randomUUID(),
        incident: state?.incident,
        question: question?.question.id,
        questionDigest: question?.digest,
        choice,
        person,
        via: 'slack',
        at: new Date().toISOString(),
      },
      keyId: 'made-up',
      signature: Buffer.alloc(64, 1).toString('base64'),
    });
    const junk: readonly unknown[] = [null, 'yes', 7, {}, [], { vote: null }, { vote: { id: 1 }, keyId: [], signature: {} }];
    try {
      for (const sender of [client, plain]) {
        const handle = sender.workflow.getHandle(service.incidentOf(asked));
        for (const vote of [forged('ada', 'remove'), forged('grace', 'release'), forged('ada', 'release'), ...junk])
          await handle.signal(incidentNames.voteSignal, vote);
      }
    } finally {
      await connection.close();
    }
    const { timeline } = await service.stateWhen(
      'the refusals',
      asked,
      15_000,
      (now) =>
        now.timeline.filter(({ kind }) => kind === 'vote.refused').length >= 3 + junk.length &&
        now.timeline.some(({ kind }) => kind === 'message.refused'),
    );
    expect(timeline.filter(isAcceptedOnQuestion)).toEqual([]);
    await expectNothingDecided();
    const decided = await service.click(asked, ana, labels.remove);
    expect(decided.dialog?.result).toEqual({ outcome: 'closed' });
    // The same dialog again, with the same bytes: still one answer.
    expect(await service.slack.resend(decided.dialog?.request ?? decided.request)).toMatchObject({ status: 401 });
    await until('the deletion', 120_000, () => service.effects.of('delete', podOf(asked)).length === 1);
    await ended(service, [asked]);
    const closed = await service.stateWhen('the reason', asked, 120_000, (now) => now.timeline.some(isAcceptedOnQuestion));
    expect(closed.timeline.filter(isAcceptedOnQuestion)).toMatchObject([
      { actor: 'person/ada', text: expect.stringMatching(/: No: rotate secrets and delete pod: As the card says\.$/) },
    ]);
  });
});

describe('two people who click opposite answers at once', () => {
  /** Calling it harmless requires a reason: the dialog is submitted when the other person clicks. */
  async function dialogOf(workload: Workload, buttonText: string) {
    const { channel, ts } = await service.cardOf(workload);
    const view = await service.dialogAfter(ana, () =>
      service.slack.click({ user: ana, channel, ts, buttonText, dialog: 'leave' }),
    );
    return { viewId: view.id, user: ana, typed: { fb_reason: 'It is our own scanner' } };
  }

  test('have exactly one outcome, and the other is told', async () => {
    const workloads = await service.workloads.deploy(namespace, ['a', 'b', 'c', 'd']);
    const calm = setInterval(() => service.slack.calm(), 200);
    try {
      await Promise.all(workloads.map((workload) => service.alert(workload, 'shell')));
      for (const workload of workloads) await service.cardOf(workload);
      const yes = 'Yes, expected';
      const no = 'No: quarantine pod';
      const outcomes: string[] = [];
      for (const [index, workload] of workloads.entries()) {
        const yesWithReason = await dialogOf(workload, yes);
        const pair = [() => service.slack.submitView(yesWithReason), () => service.click(workload, ben, no)];
        await Promise.all((index % 2 === 0 ? pair : pair.reverse()).map((click) => click()));
        const state = await service.stateWhen('both votes', workload, 120_000, ({ timeline }) =>
          timeline.some(({ kind, text }) => kind === 'vote.refused' && text.startsWith('Already decided')),
        );
        const question = state.questions.find(({ question: { id } }) => !id.startsWith('lease:'));
        const choice = question?.status.state === 'decided' ? question.status.choice : 'none';
        outcomes.push(choice);
        expect(state.timeline.filter(({ kind }) => kind === 'question.decided')).toHaveLength(1);
        const loser = choice === 'expected' ? ben : ana;
        await until('an answer', 120_000, () =>
          service.slack.ephemerals(loser).some(({ text }) => text.startsWith('Already decided')),
        );
        if (choice === 'quarantine') await containedAt(service, [workload]);
        else await ended(service, [workload]);
        expect(service.effects.of('contain', podOf(workload))).toHaveLength(choice === 'quarantine' ? 1 : 0);
      }
      process.stdout.write(`opposite clicks decided: ${outcomes.join(', ')}\n`);
    } finally {
      clearInterval(calm);
    }
  });

  test('clicks refused as not genuine are recorded once a minute, by reason', async () => {
    const counted = await until('the sum', 90_000, async () => {
      const sums = (await deskRecords(service)).filter(({ kind }) => kind === 'door.refused');
      const reasons = new Set(sums.flatMap(({ body }) => Object.keys(body.counts ?? {})));
      return ['unsigned', 'bad_signature', 'too_old', 'future_dated', 'replayed'].every((one) => reasons.has(one)) && sums;
    });
    expect(counted.every(({ actor }) => actor === 'desk')).toBe(true);
  });

  test('the records of all this are sound', async () => {
    expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
  });
});
