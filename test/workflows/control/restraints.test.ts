import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import type { SignedOrder } from '../../../core/orders/order.ts';
import type { ProposeRestraint, RestraintTerms } from '../../../core/orders/restraint.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import {
  beliefsAt,
  type ControlLab,
  dayMs,
  proposalOf,
  type RunningControl,
  type Signer,
  signedOrder,
  startControlLab,
  termsOf,
} from './control-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-restraints-'));
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

let serial = 0;
function terms(now: number, over: Partial<RestraintTerms> = {}): RestraintTerms {
  serial += 1;
  return {
    version: 1,
    id: `f${serial.toString(16).padStart(15, '0')}`,
    cluster: 'lab',
    mode: 'freeze',
    scope: { kind: 'namespace', name: 'shop' },
    owner: 'ana',
    reason: 'maintenance',
    from: new Date(now).toISOString(),
    until: new Date(now + dayMs).toISOString(),
    ...over,
  };
}

function signed(of: RestraintTerms, person = 'ana', signer: Signer = 'ana'): SignedOrder<ProposeRestraint> {
  const order: ProposeRestraint = { version: 1, kind: 'restraint.propose', person, at: of.from, terms: of };
  return signedOrder(order, signer);
}

function bookAt(clock: { now: number }, file = join(folder, `book-${++serial}.json`)): DecisionBook {
  return new DecisionBook({ file, beliefs: () => beliefsAt(clock.now), log: { info: () => {}, warn: () => {} } });
}

const statusOf = (state: ControlState, { id }: RestraintTerms) =>
  state.decisions.find(({ proposal }) => proposal.order.terms.id === id)?.status.state;
const inShop = { namespaces: ['shop'], playbook: 'firebreak/contain-dropped-binary' };

async function proposed(over: Partial<RestraintTerms> = {}): Promise<RestraintTerms> {
  const made = terms(await lab.clock(), over);
  await control.signal(controlNames.orderSignal, signed(made));
  await control.until((state) => statusOf(state, made) === 'proposed', 'the proposal');
  return made;
}

async function agreed(over: Partial<RestraintTerms> = {}): Promise<{ terms: RestraintTerms; state: ControlState }> {
  const made = await proposed(over);
  await control.vote(made.id, 'approve', 'ben');
  if (over.mode === 'observe') await control.vote(made.id, 'approve', 'lea');
  return { terms: made, state: await control.until((state) => statusOf(state, made) === 'active', 'it to begin') };
}

describe('breaking the glass', () => {
  const incident = 'incident/lab/glass/Deployment/cart';
  const short = async () => ({ until: new Date((await lab.clock()) + 3_600_000).toISOString() });

  test('needs somebody else, lifts a freeze for what it names and nothing wider, is announced to everybody, and ends on its own', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock);
    const { terms: frozen } = await agreed({ scope: { kind: 'namespace', name: 'glass' } });
    const { terms: broken, state } = await agreed({
      mode: 'break-glass',
      scope: { kind: 'incident', name: incident },
      ...(await short()),
    });
    book.update(state);
    const step = { namespaces: ['glass'], playbook: 'p', incident };
    expect(book.on(step)).toMatchObject({ terms: { id: broken.id, mode: 'break-glass' }, approvers: ['ben'] });
    expect(book.on({ ...step, incident: `${incident}-2` })?.terms.id).toBe(frozen.id);
    // Making the control workflow forget it does not undo a break-glass.
    book.update({ ...state, decisions: [], questions: [] });
    expect(book.on(step)).toMatchObject({ terms: { id: broken.id } });
    // It is told what it has lost, and nothing else.
    expect(book.lostIn(state)).toEqual({ decided: [], ended: [], proposed: [], unrecorded: [] });
    expect(book.lostIn({ decisions: [] }).decided.map(({ proposal }) => proposal.order.terms.id)).toContain(broken.id);
    await lab.heard((text) => text.startsWith(`Break-glass session ${broken.id}, approved by Ben`));
    clock.now = Date.parse(broken.until);
    expect(book.on(step)?.terms.id).toBe(frozen.id);
  });

  test('for a namespace allows only steps that touch nothing else', async () => {
    const book = bookAt({ now: (await lab.clock()) + 60_000 });
    const scope = { kind: 'namespace', name: 'glassy' } as const;
    const { state } = await agreed({ mode: 'break-glass', scope, ...(await short()) });
    book.update(state);
    expect(book.on({ namespaces: ['glassy'], playbook: 'p' })?.terms.mode).toBe('break-glass');
    expect(book.on({ namespaces: ['glassy', 'bank'], playbook: 'p' })).toBeUndefined();
    expect(book.on({ namespaces: [], playbook: 'p' })).toBeUndefined();
  });

  test.each<[string, Partial<RestraintTerms>]>([
    ['the whole cluster', { scope: { kind: 'cluster' } }],
    ['a playbook', { scope: { kind: 'playbook', name: 'p' } }],
    ['longer than a day', { scope: { kind: 'namespace', name: 'glass' } }],
  ])('is not put to people for %s', async (_what, over) => {
    const now = await lab.clock();
    const until = over.scope?.kind === 'namespace' ? now + dayMs + 60_000 : now + 3_600_000;
    const made = terms(now, { mode: 'break-glass', until: new Date(until).toISOString(), ...over });
    await control.signal(controlNames.orderSignal, signed(made));
    await control.until(() => lab.records.some(({ body }) => JSON.stringify(body).includes(made.id)), 'the refusal');
    expect(statusOf(await control.state(), made)).toBeUndefined();
  });

  test('is all that may be limited to one incident: a freeze of one is refused', async () => {
    const made = terms(await lab.clock(), { scope: { kind: 'incident', name: incident } });
    await control.signal(controlNames.orderSignal, signed(made));
    await control.until(() => lab.records.some(({ body }) => JSON.stringify(body).includes(made.id)), 'the refusal');
    expect(statusOf(await control.state(), made)).toBeUndefined();
  });
});

describe('a freeze', () => {
  test('needs somebody else, stops what it names, and is announced to everybody', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock);
    const made = await proposed();
    await control.vote(made.id, 'approve', 'ana');
    book.update(await control.state());
    expect(book.on(inShop)).toBeUndefined();
    await control.vote(made.id, 'approve', 'ben');
    book.update(await control.until((state) => statusOf(state, made) === 'active', 'it to begin'));
    expect(book.on(inShop)).toMatchObject({ terms: { id: made.id }, proposer: 'ana', approvers: ['ben'] });
    expect(book.on({ ...inShop, namespaces: ['bank'] })).toBeUndefined();
    expect(book.on({ ...inShop, namespaces: ['bank', 'shop'] })).toBeDefined();
    await control.until(() => lab.records.some(({ kind }) => kind === 'restraint.begun'), 'the record');
    await lab.heard((text) => text.startsWith(`Freeze ${made.id}, approved by Ben`));
    clock.now = Date.parse(made.until);
    expect(book.on(inShop)).toBeUndefined();
  });

  test('stays in force if the control workflow has forgotten it, as one that was reset would', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock, join(folder, 'forgotten.json'));
    const { terms: made, state } = await agreed({ scope: { kind: 'namespace', name: 'forgotten' } });
    const step = { namespaces: ['forgotten'], playbook: 'none' };
    book.update(state);
    book.update({ ...state, decisions: [] });
    expect(book.on(step)?.terms.id).toBe(made.id);
    const restarted = bookAt(clock, join(folder, 'forgotten.json'));
    restarted.update({ ...state, decisions: [] });
    expect(restarted.on(step)?.terms.id).toBe(made.id);
    clock.now = Date.parse(made.until);
    restarted.update({ ...state, decisions: [] });
    expect(restarted.on(step)).toBeUndefined();
  });

  test('is ended by one person, and its old proof does not bring it back', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const file = join(folder, 'ended.json');
    const book = bookAt(clock, file);
    const { terms: made, state } = await agreed({ scope: { kind: 'namespace', name: 'ended' } });
    const step = { namespaces: ['ended'], playbook: 'none' };
    book.update({
      ...state,
      decisions: state.decisions.filter((one) => statusOf({ ...state, decisions: [one] }, made)),
    });
    expect(book.on(step)).toBeDefined();
    const old = readFileSync(file, 'utf8');
    const at = new Date(clock.now).toISOString();
    const order = {
      version: 1,
      kind: 'restraint.end',
      person: 'eve',
      at,
      cluster: 'lab',
      decision: made.id,
      reason: 'done',
    } as const;
    // The end of a suppression with this id does not end a freeze.
    const seen = lab.records.length;
    await control.signal(controlNames.orderSignal, signedOrder({ ...order, kind: 'suppression.end' as const }, 'eve'));
    await control.until(() => lab.records.slice(seen).some(({ kind }) => kind === 'suppression.refused'), 'the refusal');
    const by = signedOrder({ ...order, kind: 'suppression.end' as const }, 'eve');
    const lied = { ...state, decisions: state.decisions.map((one) => ({ ...one, status: { state: 'ended' as const, at, by } })) };
    book.update(lied);
    expect(book.on(step)).toBeDefined();
    const told = bookAt(clock);
    told.update(state);
    // The cell accepted it, but the workflow was ended before it could say so.
    told.end(signedOrder(order, 'eve'));
    expect(told.on(step)).toBeUndefined();
    told.update(state);
    expect(told.on(step)).toBeUndefined();
    await control.signal(controlNames.orderSignal, signedOrder(order, 'eve'));
    const ended = await control.until((now) => statusOf(now, made) === 'ended', 'its end');
    book.update(ended);
    expect(book.on(step)).toBeUndefined();
    book.update(state);
    expect(book.on(step)).toBeUndefined();
    // Anyone who can write the file can bring it back, but only until the control workflow is asked again.
    writeFileSync(file, old);
    const restarted = bookAt(clock, file);
    expect(restarted.on(step)).toBeDefined();
    restarted.update(ended);
    expect(restarted.on(step)).toBeUndefined();
  });

  test('is kept on the disk, and believed after a restart without Temporal; a forged one is not', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const file = join(folder, 'kept.json');
    const { terms: made, state } = await agreed({ scope: { kind: 'namespace', name: 'kept' } });
    bookAt(clock, file).update(state);
    const step = { namespaces: ['kept'], playbook: 'none' };
    expect(bookAt(clock, file).on(step)?.terms.id).toBe(made.id);
    const text = readFileSync(file, 'utf8');
    for (const forged of [
      text.replaceAll('"kept"', '"open"'),
      text.replaceAll('"votes":[', '"votes":[null,'),
      '{"decided":[1,null]}',
    ]) {
      writeFileSync(file, forged);
      expect(bookAt(clock, file).on({ namespaces: ['kept', 'open'], playbook: 'none' })).toBeUndefined();
    }
  });

  test('that nobody may order is refused: a stranger’s, another cluster’s, an old one, one without an end, a suppression in its place', async () => {
    const now = await lab.clock();
    const refusals: unknown[] = [
      signed(terms(now), 'ana', 'stranger'),
      signed(terms(now, { cluster: 'other' })),
      signed(terms(now, { owner: 'nobody' })),
      signed(terms(now, { until: new Date(now + 31 * dayMs).toISOString() })),
      signed(terms(now - dayMs / 2)),
      { ...signed(terms(now)), order: { ...signed(terms(now)).order, kind: 'suppression.propose' } },
      { ...proposalOf(termsOf(now)), order: { ...proposalOf(termsOf(now)).order, kind: 'restraint.propose' } },
    ];
    const before = (await control.state()).decisions.length;
    for (const one of refusals) {
      const seen = lab.records.length;
      await control.signal(controlNames.orderSignal, one);
      await control.until(() => lab.records.slice(seen).some(({ kind }) => kind.endsWith('.refused')), 'the refusal');
    }
    expect((await control.state()).decisions.length).toBe(before);
  });
});

describe('a freeze from Slack', () => {
  const fromSlack = (of: RestraintTerms, signer: Signer = 'desk'): SignedOrder<ProposeRestraint> =>
    signedOrder({ version: 1, kind: 'restraint.propose', person: 'ana', at: of.from, terms: of, via: 'slack' }, signer);

  test('is signed by the desk for its person, decided by somebody else, believed by the cell, and ended from there too', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock);
    const made = terms(await lab.clock(), { scope: { kind: 'namespace', name: 'from-slack' } });
    await control.signal(controlNames.orderSignal, fromSlack(made));
    await control.until((state) => statusOf(state, made) === 'proposed', 'the proposal');
    await control.vote(made.id, 'approve', 'ana');
    expect(statusOf(await control.state(), made)).toBe('proposed');
    await control.vote(made.id, 'approve', 'ben');
    book.update(await control.until((state) => statusOf(state, made) === 'active', 'it to begin'));
    expect(book.on({ namespaces: ['from-slack'], playbook: 'none' })?.proposer).toBe('ana');
    const end = { version: 1, kind: 'restraint.end', person: 'ben', at: made.from, cluster: 'lab' } as const;
    await control.signal(
      controlNames.orderSignal,
      signedOrder({ ...end, decision: made.id, reason: 'done', via: 'slack' as const }, 'desk'),
    );
    await control.until((state) => statusOf(state, made) === 'ended', 'its end');
  });

  test('is refused with a person’s own key, and the desk’s key counts only for orders that say they are from Slack', async () => {
    const now = await lab.clock();
    const ofDesk = terms(now);
    const bare = { version: 1, kind: 'restraint.propose', person: 'ana', at: ofDesk.from, terms: ofDesk } as const;
    for (const one of [fromSlack(terms(now), 'ana'), fromSlack(terms(now), 'stranger'), signedOrder(bare, 'desk')]) {
      const seen = lab.records.length;
      await control.signal(controlNames.orderSignal, one);
      await control.until(() => lab.records.slice(seen).some(({ kind }) => kind === 'restraint.refused'), 'the refusal');
    }
  });
});

describe('observe mode', () => {
  test('needs two other people, and is stricter than a freeze', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock);
    const made = await proposed({ mode: 'observe', scope: { kind: 'namespace', name: 'lab-shop' } });
    await control.vote(made.id, 'approve', 'ben');
    expect(statusOf(await control.state(), made)).toBe('proposed');
    await control.vote(made.id, 'approve', 'lea');
    await control.until((state) => statusOf(state, made) === 'active', 'it to begin');
    const freeze = await agreed({ scope: { kind: 'namespace', name: 'lab-shop' } });
    book.update(freeze.state);
    expect(book.on({ namespaces: ['lab-shop'], playbook: 'none' })?.terms.mode).toBe('observe');
    // A cell that is told of fewer votes than required believes nothing.
    const cut = freeze.state.questions.map((one) =>
      one.question.id === `restraint:${made.id}` ? { ...one, votes: one.votes.slice(0, 1) } : one,
    );
    const other = bookAt(clock);
    other.update({ ...freeze.state, questions: cut });
    expect(other.on({ namespaces: ['lab-shop'], playbook: 'none' })?.terms.mode).toBe('freeze');
  });
});

describe('a wider freeze', () => {
  test('covers the whole cluster or one playbook if it says so', async () => {
    const clock = { now: (await lab.clock()) + 60_000 };
    const book = bookAt(clock);
    const one = await agreed({ scope: { kind: 'playbook', name: 'firebreak/ask-about-shell' } });
    book.update(one.state);
    expect(book.on({ namespaces: ['bank'], playbook: 'firebreak/ask-about-shell' })).toBeDefined();
    expect(book.on({ namespaces: ['bank'], playbook: 'other' })).toBeUndefined();
    const all = await agreed({ scope: { kind: 'cluster' } });
    book.update(all.state);
    expect(book.on({ namespaces: [], playbook: 'other' })?.terms.id).toBe(all.terms.id);
  });
});
