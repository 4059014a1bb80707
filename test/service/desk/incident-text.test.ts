import { expect, test } from '@jest/globals';
import { incidentText } from '../../../service/desk/slash/slash-look.ts';

const outcome = 'quarantinePod, snapshotPodState, openTicket; quarantinePod in force';
const observed = `acme@1.2.0 is observed, and has done nothing. With nobody answering acme/miner would come to: ${outcome}; it asks once`;
const closed: Parameters<typeof incidentText>[0] = {
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
  expect(text).toContain(`*What an observed version would have done*\n•  ${observed}`);
});

test('where nothing was observed nothing is said of it', () => {
  expect(incidentText({ ...closed, timeline: closed.timeline.slice(1) }, roster)).not.toContain('observed');
});
