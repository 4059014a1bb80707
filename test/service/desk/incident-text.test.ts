import { expect, test } from '@jest/globals';
import { incidentText } from '../../../service/desk/slash/slash-look.ts';

const begins = 'acme@1.2.0 is only observed and has done nothing. With nobody answering, acme/miner would result in:';
const observed = `${begins} quarantinePod, snapshotPodState, openTicket; quarantinePod in force; it would ask once`;
const closed: Parameters<typeof incidentText>[0] = {
  incident: { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' },
  openedAt: '2026-11-27T12:00:00.000Z',
  severity: 'high',
  title: 'A miner <!channel>',
  open: false,
  reached: 'contained',
  verdict: 'true_positive',
  total: 1,
  steps: [],
  questions: [],
  leases: [],
  evidence: [],
  timeline: [
    { at: '2026-11-27T12:00:00.000Z', kind: 'pack.observed', actor: 'engine', text: observed },
    { at: '2026-11-27T12:01:00.000Z', kind: 'incident.closed', actor: 'engine', text: 'closed' },
  ],
};
const roster = { people: [], groups: {} };

test('the details of a closed incident say in full what a version that was observed would have done', () => {
  const text = incidentText(closed, roster);
  expect(text).toContain(
    `*What an observed version would have done*\n•  ${begins} quarantine pod, snapshot pod state, open ticket; quarantine pod in force; it would ask once`,
  );
});

test('the details say nothing of observations if there were none', () => {
  expect(incidentText({ ...closed, timeline: closed.timeline.slice(1) }, roster)).not.toContain('observed');
});
