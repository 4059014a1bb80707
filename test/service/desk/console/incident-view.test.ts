import { expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import { summaryOf } from '../../../../core/console/incident-summary.ts';
import { shownIncidentOf } from '../../../../service/desk/console/incident-view.ts';
import { incidentRecords } from './console-desk.ts';

const lines = ['pod/shop/cart-1 meets the Pod Security profile “baseline”.'];

type Parts = Parameters<typeof shownIncidentOf>[0];
type Kinds = readonly Pick<AuditRecord, 'kind' | 'body'>[];

function incidentWith(...more: Kinds) {
  return incidentNow({}, ...more);
}

function incidentNow(over: Partial<Parts>, ...more: Kinds) {
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
    ...over,
  });
}

const shown = (...more: readonly Pick<AuditRecord, 'kind' | 'body'>[]): readonly string[] => incidentWith(...more).posture;

const found = { kind: 'posture.found', body: { lines } };
const checked = (...images: readonly unknown[]) => ({
  kind: 'step.applied',
  body: { action: 'verifyImage', output: { images } },
});

test('what a workload is allowed includes the latest check result of each of its images', () => {
  const image = { container: 'cart', image: 'shop/cart:1', by: [] };
  expect(shown(found, checked({ ...image, signature: 'unknown', reason: 'no answer' }))).toEqual([
    ...lines,
    'Signatures of its images: cart unknown: no answer.',
  ]);
  expect(
    shown(found, checked({ ...image, signature: 'unknown' }), checked({ ...image, signature: 'signed', by: ['ada'] }, 'odd')),
  ).toEqual([...lines, 'Signatures of its images: cart signed by ada.']);
});

test('it says if images were not checked, and nothing if nothing was read of the workload', () => {
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

test('one picture shows what is cut off, what an answer would change and what is still reachable; a lease shows when it ends', () => {
  const at = '2026-03-01T14:02:11.000Z';
  const until = Date.parse('2026-03-01T18:02:11.000Z');
  const lease = {
    id: 's1',
    action: 'quarantinePod',
    target: { name: 'pod/shop/cart-1' },
    state: 'active',
    startedAt: Date.parse(at),
  };
  const left = { workload: 'deployment/shop/cart', ready: 1, pods: 2, at, services: ['cart'], secrets: ['cart-db'], budgets: [] };
  const state = {
    ...{ steps: [], counts: [], evidence: [], questions: [{ answerers: { left } }], subject: { kind: 'cluster', cluster: 'c' } },
    leases: [{ ...lease, until, renewals: 1, onExpiry: 'renew' }],
    tickets: [{ id: 'SEC-1', url: 'javascript:alert(1)' }],
  } as never;
  const choices = [{ label: 'Delete it', blastRadius: ['pod/shop/cart-1', 'pod/shop/cart-2'] }];
  const asked = { all: [{ state: 'open', choices }], leases: new Map([['s1', 'b_lease']]) } as never;
  const links = { thread: 'https://slack.example/p1', temporal: 'file:///etc/passwd' };
  const { blastRadius, leases, tickets, thread, temporal } = incidentNow({ state, asked, links });
  expect(blastRadius).toEqual({
    ...{ workload: 'deployment/shop/cart', ready: 1, pods: 2, at },
    objects: [
      { name: 'pod/shop/cart-1', kind: 'pod', state: 'cut', by: ['Quarantine the pod', 'Delete it'] },
      { name: 'pod/shop/cart-2', kind: 'pod', state: 'planned', by: ['Delete it'] },
      { name: 'service/shop/cart', kind: 'service', state: 'reaches', by: [] },
      { name: 'secret/shop/cart-db', kind: 'secret', state: 'reaches', by: [] },
    ],
  });
  expect(leases).toMatchObject([{ state: 'active', until: '2026-03-01T18:02:11.000Z', renewals: 1, question: 'b_lease' }]);
  // If somebody could have written an address, it becomes a link only to pages on the web.
  expect([tickets, thread, temporal]).toEqual([[{ id: 'SEC-1', url: null }], 'https://slack.example/p1', null]);
});

test('each pod has its strongest assessment, with its reasons and what mode contain would have done', () => {
  const policy = { mode: 'ask', profile: 'balanced', scope: 'scope shops', onSilence: 'nothing' };
  const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };
  const asked = { response: 'ask', pages: true, would: 'contain', wouldPage: false, ...policy, reasons: ['critical', 'new'] };
  const filed = { response: 'file', pages: false, would: 'file', wouldPage: false, ...policy, reasons: ['low'] };
  const alerts = [
    { id: '1', rule: 'a shell', severity: 'low', pod, assessment: filed },
    { id: '2', rule: 'a new binary', severity: 'critical', pod, assessment: asked },
    { id: '3', rule: 'a shell', severity: 'low', pod: { ...pod, name: 'cart-2', uid: 'uid-2' }, assessment: filed },
    { id: '4', rule: 'from another version', severity: 'low', pod, assessment: { response: 'other' } },
  ];
  expect(incidentWith({ kind: 'alert.joined', body: { alerts } }).assessments).toEqual([
    {
      ...{ rule: 'a new binary', severity: 'critical', pod: 'shop/cart-1', response: 'ask', pages: true },
      ...{ mode: 'ask', profile: 'balanced', scope: 'scope shops', reasons: ['critical', 'new'] },
      wouldHave: 'Would have contained the pod: mode ask asks people first (scope shops)',
    },
    expect.objectContaining({ pod: 'shop/cart-2', response: 'file', wouldHave: null, reasons: ['low'] }),
  ]);
});
