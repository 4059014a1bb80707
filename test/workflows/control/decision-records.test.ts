import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import type { ProvenDecision } from '../../../core/decide/decision.ts';
import type { DecisionNoun, Terms } from '../../../core/orders/order.ts';
import type { PromotionTerms } from '../../../core/orders/promotion.ts';
import type { RestraintTerms } from '../../../core/orders/restraint.ts';
import {
  type ControlLab,
  dayMs,
  type RunningControl,
  type Signer,
  signedOrder,
  startControlLab,
  termsOf,
} from './control-harness.ts';

let lab: ControlLab;
let control: RunningControl;

beforeAll(async () => {
  lab = await startControlLab();
  control = await lab.start();
});
afterAll(() => lab.stop());

let serial = 0;
async function termsFor(noun: DecisionNoun, days: number): Promise<Terms> {
  serial += 1;
  const now = await lab.clock();
  const until = new Date(now + days * dayMs).toISOString();
  if (noun === 'suppression') return termsOf(now, { until });
  const common: Terms = {
    ...{ version: 1 as const, id: `e${serial.toString(16).padStart(15, '0')}`, cluster: 'lab', owner: 'ana' },
    ...{ reason: 'maintenance', from: new Date(now).toISOString(), until },
  };
  const restraint: RestraintTerms = { ...common, mode: 'freeze', scope: { kind: 'namespace', name: `shop-${serial}` } };
  const promotion: PromotionTerms = {
    ...common,
    ...{ pack: `acme-${serial}`, release: '1.0.0', integrity: `sha512-${'A'.repeat(86)}==`, stage: 'observe' },
    widens: ['acme/miner is new, and may quarantinePod (reversible, pod)'],
  };
  return noun === 'restraint' ? restraint : promotion;
}

const stateOf = (state: ControlState, id: string) =>
  state.decisions.find(({ proposal }) => proposal.order.terms.id === id)?.status.state;

/** The one record of that kind about a decision. */
function recordOf(kind: string, noun: DecisionNoun, id: string): Promise<AuditRecord> {
  return lab.eventually(kind, () => {
    const found = lab.records.filter((record) => record.kind === kind && record.body[noun] === id);
    expect(found.length).toBeLessThan(2);
    return found[0];
  });
}

async function order(noun: DecisionNoun, terms: Terms, person: Signer = 'ana', signer: Signer = person) {
  const proposal = signedOrder({ version: 1, kind: `${noun}.propose`, person, at: terms.from, terms } as never, signer);
  await control.signal(controlNames.orderSignal, proposal);
  return proposal;
}

async function propose(noun: DecisionNoun, days: number): Promise<string> {
  const terms = await termsFor(noun, days);
  await order(noun, terms);
  await control.until((state) => stateOf(state, terms.id) === 'proposed', 'the proposal');
  return terms.id;
}

async function agree(noun: DecisionNoun, id: string): Promise<void> {
  for (const person of ['ben', 'lea'] as const)
    if (stateOf(await control.state(), id) === 'proposed') await control.vote(id, 'approve', person);
  await control.until((state) => stateOf(state, id) === 'active', `the ${noun} to begin`);
}

/** Each kind, as recorded. */
const kinds = {
  suppression: {
    ...{ proposed: 'suppression.proposed', refused: 'suppression.refused', rejected: 'suppression.rejected' },
    ...{ begun: 'suppression.begun', ended: 'suppression.ended', expired: 'suppression.expired' },
    ...{ lapsed: 'suppression.lapsed', restored: 'suppression.restored' },
  },
  restraint: {
    ...{ proposed: 'restraint.proposed', refused: 'restraint.refused', rejected: 'restraint.rejected' },
    ...{ begun: 'restraint.begun', ended: 'restraint.ended', expired: 'restraint.expired' },
    ...{ lapsed: 'restraint.lapsed', restored: 'restraint.restored' },
  },
  promotion: {
    ...{ proposed: 'promotion.proposed', refused: 'promotion.refused', rejected: 'promotion.rejected' },
    ...{ begun: 'promotion.begun', ended: 'promotion.ended', expired: 'promotion.expired' },
    ...{ lapsed: 'promotion.lapsed', restored: 'promotion.restored' },
  },
} as const;

describe.each(Object.entries(kinds) as [DecisionNoun, (typeof kinds)[DecisionNoun]][])('a %s is on record', (noun, kind) => {
  test('when it was proposed, with the signed order and what was asked about it', async () => {
    const terms = await termsFor(noun, 7);
    const proposal = await order(noun, terms);
    const record = await recordOf(kind.proposed, noun, terms.id);
    const { question, digest } = record.body;
    expect(record).toMatchObject({ actor: 'person/ana', body: { proposal, text: expect.stringMatching(/^Ana: /) } });
    expect((await control.state()).questions).toContainEqual(expect.objectContaining({ question, digest }));
    expect(Math.abs(Date.parse(record.at) - Date.parse(terms.from))).toBeLessThan(dayMs);
  });

  test('with the reason if it is refused, under the name that is only claimed', async () => {
    const terms = await termsFor(noun, 7);
    await order(noun, terms, 'ana', 'stranger');
    const { actor, body } = await recordOf(kind.refused, noun, terms.id);
    expect(actor).toBe('claimed/ana');
    expect(body.text).toMatch(/sign|key/);
    expect(stateOf(await control.state(), terms.id)).toBeUndefined();
  });

  test('when it was rejected, and by whom', async () => {
    const id = await propose(noun, 7);
    await control.vote(id, 'reject', 'lea');
    expect(await recordOf(kind.rejected, noun, id)).toMatchObject({ actor: 'person/lea', body: { text: expect.any(String) } });
    expect(lab.records.some((one) => one.kind === kind.begun && one.body[noun] === id)).toBe(false);
  });

  test('when it began, by whose votes, and when it was ended, by whom and why', async () => {
    const id = await propose(noun, 7);
    await agree(noun, id);
    const begun = await recordOf(kind.begun, noun, id);
    expect(begun.actor.split(',')).toContain('person/ben');
    expect(begun.actor).not.toContain('ana');
    const at = new Date(await lab.clock()).toISOString();
    const end = { version: 1, kind: `${noun}.end`, person: 'lea', at, cluster: 'lab', decision: id, reason: 'enough' } as const;
    const signed = signedOrder(end, 'lea');
    await control.signal(controlNames.orderSignal, signed);
    const ended = await recordOf(kind.ended, noun, id);
    expect(ended).toMatchObject({ actor: 'person/lea', body: { text: 'Lea: enough', order: signed } });
    expect(ended.number).toBeGreaterThan(begun.number);
  });

  test('when it expired, and when nobody decided on it', async () => {
    const short = await propose(noun, 2);
    await agree(noun, short);
    const forgotten = await propose(noun, 20);
    await lab.env.sleep('8d');
    const [expired, lapsed] = [await recordOf(kind.expired, noun, short), await recordOf(kind.lapsed, noun, forgotten)];
    expect(expired.actor).toBe('engine');
    expect(lapsed).toMatchObject({ actor: 'engine', body: { text: expect.stringMatching(/^nobody decided: /) } });
    expect(Date.parse(lapsed.at) - Date.parse(expired.at)).toBeGreaterThan(4 * dayMs);
  });
});

describe('of several promotions', () => {
  let packs = 0;
  type Over = Partial<PromotionTerms>;
  /** Orders about versions of a pack that no other test uses. */
  function pack() {
    packs += 1;
    const name = `several-${packs}`;
    const send = async (release: string, over: Over = {}): Promise<string> => {
      const integrity = `sha512-${release.replaceAll('.', 'A').padEnd(86, 'B')}==`;
      const terms = { ...(await termsFor('promotion', 7)), pack: name, release, integrity, stage: 'all', widens: [], ...over };
      await order('promotion', terms);
      return terms.id;
    };
    const propose = async (release: string, over?: Over): Promise<string> => {
      const id = await send(release, over);
      await control.until((state) => stateOf(state, id) === 'proposed', 'the proposal');
      return id;
    };
    return { send, propose };
  }
  const standing = async (...ids: readonly string[]) => {
    const state = await control.state();
    return ids.map((id) => stateOf(state, id));
  };
  const whyVoid = async (id: string) => {
    const asked = (await control.state()).questions.find(({ question }) => question.id === `promotion:${id}`);
    return asked?.status.state === 'void' ? asked.status.why : asked?.status.state;
  };

  test('the one that is agreed to first counts, and the others of its pack lapse: they are about what ran before', async () => {
    const { propose } = pack();
    const other = await pack().propose('1.0.0');
    const [older, newer, observed] = [
      await propose('1.0.0'),
      await propose('1.1.0'),
      await propose('1.2.0', { stage: 'observe' }),
    ];
    await agree('promotion', newer);
    expect(await standing(older, newer, observed, other)).toEqual(['lapsed', 'active', 'lapsed', 'proposed']);
    const why = expect.stringMatching(/^several-\d+@1\.1\.0 runs in every incident that begins from now on: propose it again$/);
    expect([await whyVoid(older), await whyVoid(observed)]).toEqual([why, why]);
    expect(await recordOf('promotion.lapsed', 'promotion', older)).toMatchObject({ actor: 'engine', body: { text: why } });
    await lab.heard((text) => text.includes(`Promotion ${older} has lapsed: several-`));
    // Somebody clicks on the card anyway.
    await control.vote(older, 'approve', 'ben');
    expect(await standing(older)).toEqual(['lapsed']);
  });

  test('one that is only observed makes none lapse except those that would be observed in its place', async () => {
    const { propose } = pack();
    const [all, observed, other] = [
      await propose('1.0.0'),
      await propose('1.1.0', { stage: 'observe' }),
      await propose('1.2.0', { stage: 'observe' }),
    ];
    await agree('promotion', observed);
    expect(await standing(all, observed, other)).toEqual(['proposed', 'active', 'lapsed']);
  });

  test('one for some incidents makes one for some of another pack lapse: only one pack at a time has two versions', async () => {
    const tenth = { stage: 'percent', percent: 10 } as const;
    const [some, others] = [await pack().propose('1.0.0', tenth), await pack().propose('1.0.0', tenth)];
    await agree('promotion', some);
    expect(await standing(some, others)).toEqual(['active', 'lapsed']);
  });

  test('what was proposed against one that is rolled back lapses with it: its list of new rights was compared to that', async () => {
    const { propose } = pack();
    const live = await propose('1.0.0');
    await agree('promotion', live);
    const next = await propose('1.1.0');
    const at = new Date(await lab.clock()).toISOString();
    const end = { version: 1, kind: 'promotion.end', person: 'lea', at, cluster: 'lab', decision: live, reason: 'slow' } as const;
    await control.signal(controlNames.orderSignal, signedOrder(end, 'lea'));
    await control.until((state) => stateOf(state, next) === 'lapsed', 'the fall of what was proposed since');
    expect(await whyVoid(next)).toMatch(/^several-\d+@1\.0\.0 was rolled back: propose it again$/);
  });

  test('the same is not proposed twice at once, and again once the first was withdrawn', async () => {
    const { send, propose } = pack();
    const first = await propose('1.0.0');
    await send('1.0.0');
    const { body } = await lab.eventually('the refusal', () =>
      lab.records.find((one) => one.kind === 'promotion.refused' && String(one.body.text).includes(first)),
    );
    expect(body.text).toBe(`The same promotion is already proposed as ${first}, and waits for somebody else to agree.`);
    const at = new Date(await lab.clock()).toISOString();
    const end = {
      version: 1,
      kind: 'promotion.end',
      person: 'ana',
      at,
      cluster: 'lab',
      decision: first,
      reason: 'typed wrong',
    } as const;
    await control.signal(controlNames.orderSignal, signedOrder(end, 'ana'));
    await control.until((state) => stateOf(state, first) === 'ended', 'the withdrawal');
    await propose('1.0.0');
  });
});

test('anything that is not an order is recorded as refused, with its claimed sender cut short', async () => {
  await control.signal(controlNames.orderSignal, 'suppress everything');
  await control.signal(controlNames.orderSignal, { order: { person: `ana${'a'.repeat(500)}`, kind: 'everything.delete' } });
  const refused = () => lab.records.filter(({ kind }) => kind === 'order.refused');
  const [first, second] = await lab.eventually('both refusals', () => refused().length === 2 && refused());
  const text = 'This order has an unknown format.';
  expect(first).toMatchObject({ actor: 'claimed/unknown', body: { text } });
  expect(second).toMatchObject({ actor: expect.stringMatching(/^claimed\/ana/), body: { text } });
  expect(second?.actor.length).toBeLessThan(110);
});

test('what the cell still knew is recorded as taken over if the workflow itself was lost', async () => {
  const ids: [DecisionNoun, string][] = [];
  for (const noun of ['suppression', 'restraint', 'promotion'] as const) {
    const id = await propose(noun, 20);
    await agree(noun, id);
    ids.push([noun, id]);
  }
  const { decisions, questions } = await control.state();
  const restored = ids.map(([, id]): ProvenDecision => {
    const one = decisions.find(({ proposal }) => proposal.order.terms.id === id);
    const asked = questions.find(({ question }) => question.id === one?.question);
    if (!one || asked?.status.state !== 'decided') throw new Error('it was not decided');
    const { question, votes, status } = asked;
    return { proposal: one.proposal, proof: { question, votes, choice: status.choice } };
  });
  control.run.terminate();
  const next = await lab.start({ restored });
  for (const [noun, id] of ids) {
    const record = await recordOf(kinds[noun].restored, noun, id);
    expect(record).toMatchObject({ actor: 'engine', body: { text: 'restored from what the cell knew' } });
    expect(stateOf(await next.state(), id)).toBe('active');
  }
});
