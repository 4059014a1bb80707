import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { type IntakeReport, type NamedIncident, openReportOf } from '../../../core/alert/intake-report.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import type { IncidentState, QuestionState, StepState } from '../../../core/incident/incident-state.ts';
import type { Lease } from '../../../core/incident/lease.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { rowsOf, withStands } from '../../../service/incidents/rows.ts';
import { type Session, sessionOver } from '../../../service/incidents/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-rows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  `cluster: lab
intake: { tokens: [{ name: falco, token: { env: T } }] }
roster: { people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }
`,
);
const config = loadConfig({ path, env: {} });

/** An incident, as Temporal lists it and as its own state reports it. */
interface Incident {
  readonly id: string;
  readonly openedAt: string;
  readonly severity: Severity;
  readonly listedAs?: Severity;
  readonly isOver?: true;
  readonly isHidden?: true;
  /** What is asked and in force. */
  readonly state?: Partial<Pick<IncidentState, 'questions' | 'leases' | 'steps'>>;
  /** Nobody answers for it. */
  readonly isSilent?: true;
}

const now = Date.now();
const at = (secondsAgo: number): string => new Date(now - secondsAgo * 1_000).toISOString();
const named = (n: number): string => `incident/lab/shop/Deployment/w${String(n).padStart(4, '0')}`;
const nothingOpen = { questions: [], leases: [], steps: [] };
/** The first one is the newest. */
const many = (count: number, of: Partial<Incident> = {}): Incident[] =>
  Array.from({ length: count }, (_, n) => ({ id: named(n), openedAt: at(120 + n), severity: 'high', ...of }));
const toldOf = ({ id, openedAt, severity }: Incident): NamedIncident => ({
  ...{ incident: id, severity, rules: ['A rule'] },
  started: { run: `run of ${id}`, at: openedAt },
});
const reportOf = (open: readonly NamedIncident[], over: Partial<IntakeReport> = {}): IntakeReport => ({
  ...{ source: 'one', at: at(30), since: at(9_000), accepted: 1, duplicates: 0 },
  ...{ refused: {}, hidden: {}, sensors: [], watched: [], open: openReportOf(open) },
  ...over,
});

/** A Temporal with these incidents; `asked` collects those that were asked for their state. */
function temporalWith(incidents: readonly Incident[], intakes: readonly IntakeReport[]): { session: Session; asked: string[] } {
  const asked: string[] = [];
  async function* list({ query }: { readonly query: string }) {
    for (const { id, openedAt, severity, listedAs = severity, isOver, isHidden } of incidents)
      if (!isHidden && query.includes(isOver ? `!= 'Running'` : `= 'Running'`))
        yield {
          ...{ workflowId: id, runId: `run of ${id}`, startTime: new Date(openedAt) },
          status: { name: isOver ? 'COMPLETED' : 'RUNNING' },
          searchAttributes: { FirebreakSeverity: [listedAs], FirebreakRule: ['as Temporal says'] },
        };
  }
  const getHandle = (id: string) => ({
    query: async () => {
      if (id === controlIdOf('lab')) return { intakes };
      asked.push(id);
      const found = incidents.find((one) => one.id === id);
      if (!found || found.isSilent) throw new Error('nobody answers');
      const { openedAt, severity, isOver, state } = found;
      return {
        incident: { id, run: `run of ${id}` },
        severity,
        openedAt,
        open: !isOver,
        counts: [{ rule: 'A rule' }],
        ...nothingOpen,
        ...state,
      };
    },
    describe: async () => ({ status: { name: 'RUNNING' } }),
  });
  const client = Object.create(Client.prototype, {
    workflow: { value: { list, getHandle } },
    withDeadline: { value: (_: number, work: () => unknown) => work() },
  });
  return { session: sessionOver(config, client), asked };
}

const idsOf = (incidents: readonly { readonly id: string }[]): string[] => incidents.map(({ id }) => id);

test('what cells have just reported is shown without querying each incident', async () => {
  const incidents = many(50);
  const { session, asked } = temporalWith(incidents, [reportOf(incidents.map(toldOf))]);
  const { rows, notes } = await rowsOf(session, { limit: 50 });
  expect(asked).toEqual([]);
  expect(notes).toEqual([]);
  expect(rows).toEqual(
    incidents.map(({ id, openedAt, severity }) => ({
      ...{ incident: id, run: `run of ${id}`, open: true, severity, openedAt, rules: ['A rule'], confirmed: true },
    })),
  );
});

test('of five hundred, only those that may be shown and that no cell has named yet are queried', async () => {
  const incidents = many(500);
  const fresh = many(3).map((one, n) => ({ ...one, id: `${one.id}-fresh`, openedAt: at(n) }));
  const { session, asked } = temporalWith([...fresh, ...incidents], [reportOf(incidents.map(toldOf))]);
  const { rows } = await rowsOf(session, { limit: 50 });
  expect(rows.map(({ incident }) => incident)).toEqual(idsOf([...fresh, ...incidents]).slice(0, 50));
  expect(rows.every(({ confirmed }) => confirmed)).toBe(true);
  expect(asked).toEqual(idsOf(fresh));
});

test('with a severity, incidents that a cell left out as less severe than those it named are not queried', async () => {
  const critical = many(120, { severity: 'critical' }).slice(0, 20);
  const low = many(500, { severity: 'low' }).slice(20);
  const { session, asked } = temporalWith([...critical, ...low], [reportOf([...critical, ...low].map(toldOf))]);
  const { rows } = await rowsOf(session, { limit: 50, severity: 'critical' });
  expect(rows.map(({ incident }) => incident)).toEqual(idsOf(critical));
  expect(asked).toEqual([]);
  await rowsOf(session, { limit: 50, severity: 'low' });
  expect(asked).toEqual([]);
  // It has named only a hundred of these.
  const all = many(300, { severity: 'critical' });
  const more = temporalWith(all, [reportOf(all.map(toldOf))]);
  expect((await rowsOf(more.session, { limit: 250, severity: 'critical' })).rows).toHaveLength(250);
  expect(more.asked).toHaveLength(100);
});

describe('an incident is queried itself', () => {
  const [one, other] = many(2) as [Incident, Incident];

  test.each<[string, readonly Incident[], readonly IntakeReport[]]>([
    [
      'that Temporal lists with another severity',
      [{ ...one, listedAs: 'critical' }, other],
      [reportOf([toldOf(one), toldOf(other)])],
    ],
    ['that Temporal does not list as open', [{ ...one, isOver: true }, other], [reportOf([toldOf(one), toldOf(other)])]],
    ['that no cell has named', [one, other], [reportOf([toldOf(other)])]],
    [
      'of whose rules a cell has reported too few',
      [one, other],
      [reportOf([{ incident: one.id, severity: 'high' }, toldOf(other)])],
    ],
    [
      'that two cells say another cell has started',
      [one, other],
      [
        reportOf([toldOf(one), toldOf(other)]),
        reportOf([{ ...toldOf(one), started: { run: 'another', at: at(5) } }], { source: 'two' }),
      ],
    ],
    [
      'of which one of the cells has not reported for a while',
      [one, other],
      [reportOf([toldOf(one)], { source: 'two', at: at(10 * 60) }), reportOf([toldOf(one), toldOf(other)])],
    ],
  ])('%s', async (_, incidents, intakes) => {
    const { session, asked } = temporalWith(incidents, intakes);
    const { rows } = await rowsOf(session, { limit: 50 });
    expect(asked).toEqual([one.id]);
    expect(rows.filter(({ incident }) => incident === one.id)).toEqual(
      incidents[0]?.isOver ? [] : [expect.objectContaining({ confirmed: true, severity: 'high', rules: ['A rule'] })],
    );
  });

  test('if the cells’ last report of what is open is too old', async () => {
    const { session, asked } = temporalWith([one, other], [reportOf([toldOf(one), toldOf(other)], { at: at(8 * 60) })]);
    const { notes } = await rowsOf(session, { limit: 50 });
    expect(asked).toEqual([one.id, other.id]);
    expect(notes).toEqual([expect.stringContaining('The last report of a cell about what is open')]);
  });
});

test('an incident has the highest severity and all the rules that any of its cells reported', async () => {
  const [one] = many(1) as [Incident];
  const worse = { incident: one.id, severity: 'critical', rules: ['Another rule'] } as const;
  const { session, asked } = temporalWith(
    [{ ...one, listedAs: 'critical' }],
    [reportOf([toldOf(one)]), reportOf([worse], { source: 'two' })],
  );
  const { rows } = await rowsOf(session, { limit: 50 });
  expect(asked).toEqual([]);
  expect(rows).toMatchObject([{ severity: 'critical', rules: ['A rule', 'Another rule'], confirmed: true }]);
});

test('what Temporal leaves out is still shown, and what somebody made up comes last, as unconfirmed', async () => {
  const [hidden, seen] = many(2) as [Incident, Incident];
  const invented = {
    id: 'incident/lab/shop/Deployment/invented',
    openedAt: at(1),
    severity: 'critical',
    isSilent: true,
  } as const;
  const { session } = temporalWith([{ ...hidden, isHidden: true }, seen, invented], [reportOf([toldOf(hidden), toldOf(seen)])]);
  const { rows } = await rowsOf(session, { limit: 50 });
  expect(rows.map(({ incident, confirmed }) => [incident, confirmed])).toEqual([
    [hidden.id, true],
    [seen.id, true],
    [invented.id, false],
  ]);
});

describe('how a listed incident stands', () => {
  const question = (id: string, group: string, over: Partial<QuestionState> = {}): QuestionState => ({
    question: {
      ...{ id, incident: { id: named(0), run: 'r' }, severity: 'high', text: 'Expected?', choices: [], requester: 'playbook/x' },
      ...{ levels: [{ group, withinMs: 60_000 }], onSilence: 'It stays.' },
    },
    ...{ digest: '', status: { state: 'open' }, votes: [], level: 0, levelUntil: at(-600), askedAt: at(60), plans: [] },
    ...over,
  });
  const lease: Lease = {
    ...{ id: 'l1', action: 'quarantinePod', target: { name: 'pod/shop/cart-1' }, stepKey: 's1', holders: ['x'], startedAt: now },
    ...{ until: now + 3_600_000, durationMs: 3_600_000, renewals: 0, state: 'active', onExpiry: 'renew' },
  };
  const step: StepState = {
    ...{ key: 's1', playbook: 'x', action: 'quarantinePod', target: 'pod/shop/cart-1', state: 'verified', detail: '' },
    startedAt: at(60),
  };
  const standsOf = async (state: Incident['state'], over: Partial<Incident> = {}) => {
    const incidents = many(1, { ...(state && { state }), ...over });
    const { session } = temporalWith(incidents, [reportOf(incidents.map(toldOf))]);
    const { rows } = await withStands(session, await rowsOf(session, { limit: 50 }));
    return rows.map(({ stand }) => stand);
  };

  test('comes from its own answer, although a cell has named it', async () => {
    expect(await standsOf({})).toEqual([{ contained: 'no' }]);
    expect(await standsOf({ leases: [lease], steps: [step] })).toEqual([{ contained: 'yes' }]);
    expect(await standsOf({ leases: [lease], steps: [{ ...step, state: 'unverified' }] })).toEqual([{ contained: 'not proven' }]);
    expect(await standsOf({ leases: [{ ...lease, state: 'released' }], steps: [step] })).toEqual([{ contained: 'no' }]);
  });

  test('is not known if it does not answer, and the row is shown all the same', async () => {
    expect(await standsOf({}, { isSilent: true })).toEqual([undefined]);
  });

  test('names whom the most urgent question waits for, and the term of a containment only if nothing else is asked', async () => {
    const standing = question('lease:l1', 'leads');
    const later = question('q2', 'leads', { levelUntil: at(-900) });
    expect(await standsOf({ leases: [lease], steps: [step], questions: [standing, later, question('q1', 'oncall')] })).toEqual([
      { contained: 'yes', waitsFor: 'oncall', deadline: at(-600) },
    ]);
    expect(await standsOf({ leases: [lease], steps: [step], questions: [standing] })).toEqual([
      { contained: 'yes', waitsFor: 'leads', deadline: new Date(lease.until).toISOString() },
    ]);
    expect(await standsOf({ questions: [question('q1', 'oncall', { status: { state: 'expired', at: at(1) } })] })).toEqual([
      { contained: 'no' },
    ]);
  });
});
