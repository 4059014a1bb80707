import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { signedProposalSchema } from '../../../core/orders/order.schema.ts';
import type { EndDecision } from '../../../core/orders/order.ts';
import { checkOrder } from '../../../core/orders/order-check.ts';
import { type PromotionTerms, type ProposePromotion, promotedOf, rampingOf } from '../../../core/orders/promotion.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import { PromotedPacks } from '../../../service/cell/control/promoted-packs.ts';
import { observedText } from '../../../service/commands/pack/promote.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { createLog } from '../../../service/process/log.ts';
import { beliefsAt, signedOrder } from '../../workflows/control/control-harness.ts';
import { decided, looksAt, nothingDecided, now, publishedPacks, tenPercent } from './published-packs.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-promoted-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let published: Awaited<ReturnType<typeof publishedPacks>>;
const termsOf = (release: string, over?: Partial<PromotionTerms>): PromotionTerms => published.termsOf(release, over);
const cellWith = (...args: Parameters<(typeof published)['cellWith']>) => published.cellWith(...args);

beforeAll(async () => {
  published = await publishedPacks(folder);
  const { publish } = published;
  await publish('1.0.0');
  await publish('1.1.0', {
    playbook: (text) =>
      text.replaceAll('quarantinePod', 'deletePod').replace(', lease: params.lease', '').replace('await steps', '// await steps'),
  });
  await publish('1.2.0', {
    playbook: (text) => text.replace("lease: param.duration('4h'), ", '').replaceAll('params.lease', "'4h'"),
  });
  const changed = { count: 1, histories: ['incident incident/lab/shop (run 1) goes another way'], because: 'asks first' };
  await publish('1.3.0', { statement: { replayed: { golden: 2, incidents: 1 }, changed } });
});

const firstWidens = ['acme/miner is new, and may quarantinePod (reversible, pod)'];

describe('a proposal to promote', () => {
  test('is accepted if it states exactly what the version may do beyond the previous one', async () => {
    const fresh = cellWith(() => []).started();
    expect(await fresh.problemOf(termsOf('1.0.0', { widens: firstWidens }))).toBeUndefined();
    expect(await fresh.problemOf(termsOf('1.0.0'))).toContain('What it may do differs from the order: acme/miner is new');
    const running = cellWith(() => [termsOf('1.0.0')]).started();
    expect(
      await running.problemOf(
        termsOf('1.2.0', { widens: ['acme/miner has different parameters, or different defaults for them'] }),
      ),
    ).toBeUndefined();
    const otherWay = ['1 of 3 histories takes another path on it, which its publisher intends: asks first'];
    expect(await running.problemOf(termsOf('1.3.0', { widens: otherWay }))).toBeUndefined();
    expect(await running.problemOf(termsOf('1.3.0'))).toContain(otherWay[0]);
    expect(await running.problemOf(termsOf('1.1.0'))).toMatch(/acme\/miner may do deletePod \(destructive, pod\)/);
  });

  test('is refused if the version does not exist, has different code, or belongs to a pack that is not configured', async () => {
    const cell = cellWith(() => []).started();
    expect(await cell.problemOf(termsOf('9.9.9'))).toContain('acme@9.9.9 is not in the store');
    expect(await cell.problemOf(termsOf('1.0.0', { integrity: published.integrityOf('1.1.0') }))).toContain(
      'is not the code that the order names',
    );
    expect(await cell.problemOf(termsOf('1.0.0', { pack: 'other' }))).toContain('does not list the pack other');
  });
});

describe('a proposal of a version that is already running', () => {
  test('is refused: a rollback would bring the same version back', async () => {
    const live = termsOf('1.0.0');
    const cell = cellWith(() => [live]).started();
    for (const stage of ['all', 'observe'] as const)
      expect(await cell.problemOf(termsOf('1.0.0', { stage }))).toBe('acme@1.0.0 runs in every incident already.');
    const ramping = cellWith(() => [live, termsOf('1.1.0', tenPercent)]).started();
    expect(await ramping.problemOf(termsOf('1.0.0'))).toBe(
      'acme@1.0.0 runs in every incident already, except those that start with acme@1.1.0: firebreak pack rollback acme ends that.',
    );
    expect(await ramping.problemOf(termsOf('1.1.0', { stage: 'observe' }))).toBe(
      'acme@1.1.0 runs in some incidents already: their records say what it does.',
    );
  });
});

describe('a proposal to promote for some incidents', () => {
  test('is refused if the version already runs in all, or if it misstates what the version may do', async () => {
    const cell = cellWith(() => [termsOf('1.0.0')]).started();
    expect(await cell.problemOf(termsOf('1.0.0', tenPercent))).toBe('acme@1.0.0 runs in every incident already.');
    expect(await cell.problemOf(termsOf('1.3.0', tenPercent))).toContain('What it may do differs from the order');
  });
});

describe('a promoted version', () => {
  const going = () => new AbortController();

  test('is active at the next start, and gone after a rollback', async () => {
    let active: readonly PromotionTerms[] = [termsOf('1.0.0')];
    const cell = cellWith(() => active);
    expect(cell.versions()).toEqual([]);
    expect(await cell.started().changed(cell.source, false, going().signal)).toBe(true);
    expect(cell.versions()).toEqual(['acme@1.0.0']);
    active = [...active, termsOf('1.1.0')];
    expect(await cell.started().changed(cell.source, false, going().signal)).toBe(true);
    expect(cell.versions()).toEqual(['acme@1.1.0']);
    active = active.slice(0, 1);
    expect(await cell.started().changed(cell.source, false, going().signal)).toBe(true);
    expect(cell.versions()).toEqual(['acme@1.0.0']);
    active = [];
    expect(await cell.started().changed(cell.source, false, going().signal)).toBe(true);
    expect(cell.versions()).toEqual([]);
  });

  test('for some incidents runs alongside the current one, until it is promoted for all or rolled back', async () => {
    let active: readonly PromotionTerms[] = [termsOf('1.0.0')];
    const cell = cellWith(() => active);
    const becomes = async (terms: readonly PromotionTerms[]) => {
      active = terms;
      expect(await cell.started().changed(cell.source, false, going().signal)).toBe(true);
      return [cell.versions(), cell.some()];
    };
    const [first, tenth, third] = [termsOf('1.0.0'), termsOf('1.1.0', tenPercent), termsOf('1.3.0', tenPercent)];
    expect(await becomes([first])).toEqual([['acme@1.0.0'], undefined]);
    expect(await becomes([first, tenth])).toEqual([['acme@1.0.0'], ['acme@1.1.0']]);
    expect(await becomes([first, tenth, third])).toEqual([['acme@1.0.0'], ['acme@1.3.0']]);
    expect(await becomes([first])).toEqual([['acme@1.0.0'], undefined]);
    expect(await becomes([first, tenth])).toEqual([['acme@1.0.0'], ['acme@1.1.0']]);
    expect(await becomes([first, tenth, termsOf('1.1.0')])).toEqual([['acme@1.1.0'], undefined]);
  });

  test('is not adopted if the configuration does not fit it, and the running version continues', async () => {
    let active: readonly PromotionTerms[] = [termsOf('1.0.0')];
    const cell = cellWith(() => active, 'playbooks: { params: { acme/miner: { lease: 8h } } }\n');
    await cell.started().changed(cell.source, false, going().signal);
    const stopping = going();
    let asked = 0;
    // Stopped when it comes back for another look: by then the version without the parameter has been tried.
    const config = loadConfig(cell.source);
    active = [termsOf('1.2.0')];
    const promotions = () => {
      asked += 1;
      if (asked > config.releases.packs.length) stopping.abort();
      return active.map((terms) => ({ terms, proposer: 'ana', approvers: ['ben'] }));
    };
    const packsOf = new PromotedPacks({ config, secrets: {}, promotions, log: createLog(config), now: () => looksAt });
    expect(await packsOf.changed(cell.source, false, stopping.signal)).toBe(false);
    expect(cell.versions()).toEqual(['acme@1.0.0']);
  });
});

describe('the decisions of a cell', () => {
  test('keep a promotion that a second person approved, even after a restart or if the control workflow forgets it, but not a self-approved one', () => {
    const file = join(folder, 'decisions.json');
    const open = () => new DecisionBook({ file, beliefs: () => beliefsAt(looksAt), log: { info: () => {}, warn: () => {} } });
    const terms = termsOf('1.0.0');
    const book = open();
    book.update({ ...nothingDecided, ...decided(terms, 'ana') });
    expect(book.promotions()).toEqual([]);
    book.update({ ...nothingDecided, ...decided(terms, 'ben') });
    expect(book.promotions()).toEqual([{ terms, proposer: 'ana', approvers: ['ben'] }]);
    book.update(nothingDecided);
    expect(open().promotions()).toMatchObject([{ terms: { release: '1.0.0' } }]);
    // Anyone who can write the file can make it forget, but cannot make it run another version.
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"release":"1.0.0"', '"release":"1.1.0"'));
    expect(existsSync(file)).toBe(true);
    expect(open().promotions()).toEqual([]);
    const order: EndDecision = {
      version: 1,
      kind: 'promotion.end',
      person: 'ben',
      at: terms.from,
      cluster: 'lab',
      decision: terms.id,
      reason: 'wrong pods',
    };
    book.end(signedOrder(order, 'ben'));
    expect(book.promotions()).toEqual([]);
  });
});

test('the proposer of a version is told whether it was observed; a mere proposal to observe it does not count', () => {
  const terms = termsOf('1.0.0');
  const observe = {
    ...termsOf('1.0.0', { stage: 'observe' }),
    from: '2026-11-20T12:00:00.000Z',
    until: '2026-11-22T12:00:00.000Z',
  };
  const { decisions, questions } = decided(observe, 'ben');
  const listed = 'firebreak pack observed acme@1.0.0 lists what it would have done';
  expect(observedText(nothingDecided, terms)).toBe('acme@1.0.0 was not observed before, as far as is known');
  expect(observedText({ decisions, questions }, terms)).toBe(`acme@1.0.0 is observed until ${observe.until}: ${listed}`);
  const over = decisions.map((one) => ({ ...one, status: { state: 'expired', at: observe.until } as const }));
  expect(observedText({ decisions: over, questions }, terms)).toBe(`acme@1.0.0 was observed from ${observe.from}: ${listed}`);
  const open = questions.map((one) => ({ ...one, status: { state: 'open' } as const }));
  expect(observedText({ decisions: over, questions: open }, terms)).toContain('was not observed before');
  expect(observedText({ decisions, questions }, termsOf('1.1.0'))).toContain('acme@1.1.0 was not observed before');
});

test('the newest of several promotions counts, and a version is no longer observed once it is promoted', () => {
  const [old, next] = [termsOf('1.0.0'), termsOf('1.1.0')];
  const observed = termsOf('1.2.0', { stage: 'observe' });
  const later = now + 3_600_000;
  expect(promotedOf('acme', [next, old, observed], later)).toEqual({ live: next, observed });
  expect(promotedOf('acme', [old, observed], later)).toEqual({ live: old, observed });
  expect(promotedOf('acme', [old, observed, termsOf('1.2.0')], later).observed).toBeUndefined();
  expect(promotedOf('other', [old, next], later)).toEqual({});
  const [tenth, half] = [termsOf('1.3.0', tenPercent), termsOf('1.3.0', { ...tenPercent, percent: 50 })];
  expect(promotedOf('acme', [next, tenth, half], later)).toEqual({ live: next, ramping: half });
  expect(promotedOf('acme', [next, tenth, termsOf('1.3.0', { stage: 'observe' })], later)).toEqual({
    live: next,
    ramping: tenth,
  });
  expect(promotedOf('acme', [next, half, termsOf('1.3.0')], later).ramping).toBeUndefined();
  expect(rampingOf(['acme', 'other'], [next, tenth, termsOf('2.0.0', { ...tenPercent, pack: 'other' })], later)).toMatchObject({
    pack: 'other',
  });
  expect(promotedOf('acme', [old], Date.parse(old.from) - 1)).toEqual({});
});

test('a promotion and its end must be signed with a personal key, not with that of the desk', () => {
  const terms = termsOf('1.0.0');
  const given = { version: 1, person: 'ana', at: terms.from, via: 'slack' } as const;
  const beliefs = beliefsAt(Date.parse(terms.from));
  const refused = { ok: false, reason: expect.stringContaining('with a personal key') };
  expect(
    checkOrder(signedOrder({ ...given, kind: 'promotion.propose', terms } satisfies ProposePromotion, 'desk'), beliefs),
  ).toEqual(refused);
  const end = { ...given, kind: 'promotion.end', cluster: 'lab', decision: terms.id, reason: 'no' } satisfies EndDecision;
  expect(checkOrder(signedOrder<EndDecision>(end, 'desk'), beliefs)).toEqual(refused);
});

test('an order for some incidents needs a percentage, and no other order may have one', () => {
  const integrity = `sha512-${'A'.repeat(86)}==`;
  const isTaken = (over: Partial<PromotionTerms>): boolean => {
    const terms = termsOf('1.0.0', { integrity, ...over });
    const order: ProposePromotion = { version: 1, kind: 'promotion.propose', person: 'ana', at: terms.from, terms };
    return signedProposalSchema.safeParse(signedOrder(order, 'ana')).success;
  };
  expect([{}, tenPercent].map(isTaken)).toEqual([true, true]);
  const wrong = [0, 100, 10.5].map((percent) => ({ ...tenPercent, percent }));
  expect([...wrong, { stage: 'percent' } as const, { percent: 10 }].map(isTaken)).toEqual([false, false, false, false, false]);
});
