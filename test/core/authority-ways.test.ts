import { describe, expect, test } from '@jest/globals';
import { type Ballot, type Way, type World, ways, words } from './authority-reference.ts';
import { calm, compare, plans } from './authority-world.ts';

/*
 * By which way an answer comes, true and forged, against the reference: Slack and the page by the desk's stamp, the command line by its person's
 * own; the page by the identity provider's word too.
 */

const claimed: readonly Way[] = [...ways, 'fax'];
const risks = ['none', 'weakening', 'destructive', 'wide'] as const;
const providers = [{}, { provider: true }] as const;

const asDue = { via: 'slack', word: 'right' } as const;

/** The one in question alone, before a valid answer, and after it. Counts how often it had a part in the decision. */
function tried(world: Omit<World, 'ballots'>, ballot: Pick<Ballot, 'via'> & Partial<Ballot>): number {
  const at = (arrives: number) => ({ at: arrives, arrives });
  const inQuestion: Ballot = { choice: 'yes', ...ballot, person: 'ana', ...at(1) };
  const due: Ballot = { ...asDue, choice: inQuestion.choice, person: 'ben', ...at(2) };
  const companies: readonly (readonly Ballot[])[] = [
    [inQuestion],
    [inQuestion, due],
    [
      { ...due, ...at(1) },
      { ...inQuestion, ...at(2) },
    ],
  ];
  return companies.filter((ballots) => compare({ ...world, ballots })?.by.includes('ana')).length;
}

describe('the way an answer comes', () => {
  test('counts only with its own proof: every way, stamp and provider’s word, with and without a provider', () => {
    const counted = new Map<string, number>();
    for (const provider of providers)
      for (const risk of risks)
        for (const via of claimed)
          for (const stamp of ['desk', 'own', 'of another'] as const)
            for (const word of [undefined, ...words])
              for (const choice of ['yes', 'no'] as const) {
                const times = tried({ ...calm, ...provider, risk }, { via, stamp, choice, ...(word && { word }) });
                const proof = `${via}, ${stamp}, ${via === 'page' ? word : 'any word'}`;
                if (times > 0) counted.set(proof, (counted.get(proof) ?? 0) + times);
              }
    // Nothing but these ever had a part in a decision.
    expect([...counted.keys()].sort()).toEqual(['cli, own, any word', 'page, desk, right', 'slack, desk, any word']);
  });

  test('cannot be passed off as another way, whatever proof comes with it', () => {
    for (const provider of providers)
      for (const risk of risks)
        for (const signedAs of claimed)
          for (const via of claimed)
            for (const word of [undefined, 'right'] as const) {
              const times = tried({ ...calm, ...provider, risk }, { via, signedAs, ...(word && { word }) });
              if (via !== signedAs) expect({ via, signedAs, word, times }).toMatchObject({ times: 0 });
            }
  });

  test('requires a reason where one is due, of limited length, whichever way it is', () => {
    const counted: Record<string, number> = {};
    for (const risk of Object.keys(plans) as World['risk'][])
      for (const via of ways)
        for (const choice of ['yes', 'no'] as const)
          for (const reason of ['said', 'none', 'short', 'endless'] as const) {
            const times = tried({ ...calm, provider: true, risk }, { via, word: 'right', choice, reason });
            counted[`${via} ${reason}`] = (counted[`${via} ${reason}`] ?? 0) + times;
          }
    for (const via of ways) {
      expect(counted[`${via} said`]).toBeGreaterThan(counted[`${via} none`] ?? 0);
      expect(counted[`${via} none`]).toBe(counted[`${via} short`]);
      expect(counted[`${via} endless`]).toBe(0);
    }
  });

  test('may differ between two people, each with the proof that their way needs', () => {
    for (const provider of providers)
      for (const first of ways)
        for (const second of ways)
          for (const words of [{}, { word: 'right' }] as const) {
            const by = (person: string, via: Way, at: number): Ballot => ({
              person,
              via,
              choice: 'yes',
              at,
              arrives: at,
              ...words,
            });
            const ballots = [by('ana', first, 1), by('ben', second, 2)];
            for (const risk of ['others-secrets', 'wide'] as const) {
              const decided = compare({ ...calm, ...provider, risk, ballots });
              const needsWord = [first, second].includes('page') || ('provider' in provider && risk === 'wide');
              expect(decided !== undefined).toBe(!needsWord || ('provider' in provider && 'word' in words));
            }
          }
  });
});
