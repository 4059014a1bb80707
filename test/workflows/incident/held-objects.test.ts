import { describe, expect, test } from '@jest/globals';
import type { Page } from '../../../core/tickets/paging.ts';
import { holdingPlaybooks } from '../../playbooks/held-objects.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const called: Omit<Page, 'key'>[] = [];
const { lab, script } = useLab({
  playbooks: holdingPlaybooks,
  others: {
    callPeople: async (page) => void called.push(page),
    endPage: async () => undefined,
    updateTicket: async () => undefined,
    ticketNews: async () => [],
  },
});
const about = 'deployment/shop/cart';
const settings = {
  playbooks: ['stops-rollouts', 'scales-down'],
  followUp: { tickets: false, pages: true },
  levels: [{ group: 'oncall', withinMs: 900_000, page: true }],
} as const;
const isPaged = ({ id }: RunningIncident, text: string): boolean =>
  called.some(({ incident, details }) => incident.id === id && details.news === text);

describe('a step that holds a field of a workload', () => {
  test('is read back when somebody changes the field, and is drifted on record, in the thread and in a page', async () => {
    const incident = await lab.start([alertOf({ rule: 'Rollout' })], settings);
    await incident.until(({ leases, steps }) => leases.length > 0 && steps.some(({ endedAt }) => endedAt), 'the lease');
    script['verify:suspendRollout'] = () => refuse('FB_ERR_DRIFTED', `${about}: spec.paused is absent`);
    const text = `${about} is no longer as suspendRollout left it: spec.paused was changed from true to absent`;
    await incident.note({ id: 'h1', kind: 'containment.changed', text, about });
    const { steps, timeline } = await incident.until((now) => now.steps.some(({ state }) => state === 'drifted'), 'the state');
    expect(steps).toMatchObject([{ action: 'suspendRollout', detail: `${about}: spec.paused is absent` }]);
    expect(timeline).toContainEqual(expect.objectContaining({ kind: 'containment.changed', text }));
    await lab.eventually('the thread', () => lab.seen.threads.includes(text));
    await lab.eventually('the page', () => isPaged(incident, text));
  });

  test('is partial if somebody reverted it before it was read', async () => {
    const text = `${about}: spec.paused was changed to absent by argocd-controller`;
    script['verify:suspendRollout'] = () => refuse('FB_ERR_DRIFTED', text);
    const incident = await lab.start([alertOf({ rule: 'Rollout' })], settings);
    const { steps } = await incident.until((now) => now.steps.some(({ verification }) => verification), 'the step');
    expect(steps).toMatchObject([{ state: 'partial', detail: text, verification: { missing: [text] } }]);
  });

  test('without a lease is drifted if the cell says so, and people are paged', async () => {
    const incident = await lab.start([alertOf({ rule: 'Scale' })], settings);
    await incident.question();
    await incident.vote('yes', 'ana');
    await incident.until(({ questions }) => questions.every(({ status }) => status.state === 'decided'), 'the answer');
    // The deadline for evidence, of which this playbook keeps none.
    await lab.env.sleep('31m');
    await incident.until(({ steps }) => steps.some(({ endedAt }) => endedAt), 'the step');
    const text = `${about} is no longer as scaleToZero left it: spec.replicas was changed from 0 to 2`;
    const [step] = (await incident.state()).steps;
    await incident.note({ id: 'h2', kind: 'containment.changed', text, about: step?.target ?? '' });
    const { steps } = await incident.until((now) => now.steps.some(({ state }) => state === 'drifted'), 'the state');
    expect(steps).toMatchObject([{ action: 'scaleToZero', detail: text }]);
    await lab.eventually('the page', () => isPaged(incident, text));
  });
});
