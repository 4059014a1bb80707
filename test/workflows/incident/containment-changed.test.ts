import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Verification } from '../../../core/action/action.ts';
import type { Page } from '../../../core/tickets/paging.ts';
import { type MemoryLab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse, type Script } from '../scripted.ts';

const called: Omit<Page, 'key'>[] = [];
const script: Script = {};
const settings = {
  followUp: { tickets: false, pages: true },
  levels: [{ group: 'oncall', withinMs: 900_000, page: true }],
} as const;
let lab: MemoryLab;

beforeAll(async () => {
  lab = await startLab({
    script,
    others: {
      callPeople: async (page) => void called.push(page),
      endPage: async () => undefined,
      updateTicket: async () => undefined,
      ticketNews: async () => [],
    },
  });
});
afterAll(() => lab.stop());

const about = 'pod/shop/cart-1';
const changed = {
  id: 'c1',
  kind: 'containment.changed',
  text: `the quarantine of ${about} does not hold: open allows`,
  about,
} as const;
const partial: Verification = { state: 'partial', detail: 'open allows its traffic', missing: ['networkpolicy/shop/open'] };

async function contained(): Promise<RunningIncident> {
  const incident = await lab.start([alertOf()], settings);
  await incident.until(
    ({ leases, steps }) =>
      leases.some(({ state }) => state === 'active') &&
      steps.some(({ action, state }) => action === 'quarantinePod' && state === 'unverified'),
    'containment',
  );
  await incident.question();
  return incident;
}
const quarantineOf = async (incident: RunningIncident) =>
  (await incident.state()).steps.find(({ action }) => action === 'quarantinePod');

describe('a quarantine that somebody changes', () => {
  test('is read back again, and the result is on record, on the card, in the thread, and in a page', async () => {
    const incident = await contained();
    script['verify:quarantinePod'] = () => partial;
    await incident.note(changed);
    await incident.until(({ steps }) => steps.some(({ state }) => state === 'partial'), 'the new state');
    expect(await quarantineOf(incident)).toMatchObject({ detail: partial.detail, verification: partial });
    const { timeline } = await incident.state();
    expect(timeline.filter(({ kind }) => kind === 'containment.changed')).toMatchObject([{ text: changed.text }]);
    await lab.eventually('the card', () => {
      const card = lab.seen.cards.findLast(({ incident: { id } }) => id === incident.id);
      return JSON.stringify(card?.contained).includes('partial');
    });
    await lab.eventually('the thread', () => lab.seen.threads.includes(changed.text));
    await lab.eventually('the page', () =>
      called.some((page) => page.incident.id === incident.id && page.details.news === changed.text),
    );

    delete script['verify:quarantinePod'];
    await incident.note({
      ...changed,
      id: 'c2',
      kind: 'containment.whole',
      text: `the quarantine of ${about} is fully in force again`,
    });
    await incident.until(({ steps }) => !steps.some(({ state }) => state === 'partial'), 'the state as before');
  });

  test('is called drifted if the cell finds it so, and the lease stays in force', async () => {
    const incident = await contained();
    script['verify:quarantinePod'] = () => refuse('FB_ERR_DRIFTED', 'label app=cart was added');
    await incident.note(changed);
    const { leases } = await incident.until(({ steps }) => steps.some(({ state }) => state === 'drifted'), 'the new state');
    expect(leases).toMatchObject([{ state: 'active' }]);
    delete script['verify:quarantinePod'];
  });

  test('with a policy of a wider step is reported only while such a step is in force', async () => {
    const incident = await contained();
    const policy = 'networkpolicy/shop/firebreak-isolate-1';
    await incident.note({ id: 'p1', kind: 'containment.changed', text: `${policy} is gone`, about: policy });
    await incident.note({ ...changed, id: 'after' });
    const { timeline } = await incident.until(
      (state) => state.timeline.some(({ text }) => text === changed.text),
      'the next line',
    );
    expect(timeline.filter(({ text }) => text.includes(policy))).toEqual([]);
  });

  test('pages people once until they have decided on it, however often it happens', async () => {
    const incident = await contained();
    for (const id of ['c1', 'c2', 'c3']) await incident.note({ ...changed, id });
    await incident.until(
      ({ timeline }) => timeline.filter(({ kind }) => kind === 'containment.changed').length === 3,
      'three lines',
    );
    await incident.until(({ timeline }) => timeline.some(({ text }) => text.includes(`is called: ${changed.text}`)), 'the page');
    const pages = called.filter((page) => page.incident.id === incident.id && page.details.news === changed.text);
    expect(pages).toMatchObject([{ group: 'oncall' }]);
  });
});
