import { expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import { summaryOf } from '../../../../core/console/incident-summary.ts';
import { shownIncidentOf } from '../../../../service/desk/console/incident-view.ts';
import { incidentRecords } from './console-desk.ts';

const lines = ['pod/shop/cart-1 meets the profile “baseline” of Pod Security.'];

function incidentWith(...more: readonly Pick<AuditRecord, 'kind' | 'body'>[]) {
  const begun = incidentRecords('shop');
  const [first] = begun;
  if (!first) throw new Error('no record');
  const records = [...begun, ...more.map((one, index) => ({ ...first, ...one, number: begun.length + index + 1 }))];
  const summary = summaryOf(records);
  if (!summary) throw new Error('no incident');
  return shownIncidentOf({
    summary,
    chain: { stored: { records: [] }, records, proof: { whole: true, findings: [], stored: 0, leftOut: 0, head: null } },
    state: undefined,
    asked: { all: [], leases: new Map() },
    samples: [],
    deadlines: [],
    roster: { people: [], groups: {} },
    links: { thread: undefined, temporal: undefined },
  });
}

const shown = (...more: readonly Pick<AuditRecord, 'kind' | 'body'>[]): readonly string[] => incidentWith(...more).posture;

const found = { kind: 'posture.found', body: { lines } };
const checked = (...images: readonly unknown[]) => ({
  kind: 'step.applied',
  body: { action: 'verifyImage', output: { images } },
});

test('what a workload is allowed says of its images what checks have found, the last word of each', () => {
  const image = { container: 'cart', image: 'shop/cart:1', by: [] };
  expect(shown(found, checked({ ...image, signature: 'unknown', reason: 'no answer' }))).toEqual([
    ...lines,
    'Signatures of its images: cart unknown: no answer.',
  ]);
  expect(
    shown(found, checked({ ...image, signature: 'unknown' }), checked({ ...image, signature: 'signed', by: ['ada'] }, 'odd')),
  ).toEqual([...lines, 'Signatures of its images: cart signed by ada.']);
});

test('that nobody has looked is said; and where nothing was read of the workload, nothing is', () => {
  expect(shown(found)).toEqual([...lines, 'Signatures of its images: not checked in this incident.']);
  expect(shown()).toEqual([]);
});

test('a step that had nothing to do is shown as skipped, and one that failed as failed', () => {
  const body = { step: 's9', action: 'openTicket', target: 'ticket/cart', text: 'Open a ticket: skipped' };
  const { steps } = incidentWith({ kind: 'step.unavailable', body }, { kind: 'step.failed', body: { ...body, step: 's10' } });
  expect(steps.slice(-2)).toMatchObject([
    { title: 'Open a ticket', state: 'skipped' },
    { title: 'Open a ticket', state: 'failed' },
  ]);
});
