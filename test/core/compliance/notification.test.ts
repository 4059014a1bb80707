import { describe, expect, test } from '@jest/globals';
import { type AuditRecord, removedRecord } from '../../../core/audit/audit.ts';
import { dueAt, notificationDraft, notificationText, regimes, stages } from '../../../core/compliance/notification.ts';

const incident = 'incident/c/shop/Deployment/cart';
const chain = `${incident}@run`;
const record = (number: number, kind: string, body: AuditRecord['body']): AuditRecord => ({
  chain,
  number,
  at: `2026-03-01T10:0${number}:00.000Z`,
  kind,
  actor: 'engine',
  body,
});
const records = [
  record(1, 'incident.opened', {
    text: '2 × Drop [x](http://evil.example)\n# urgent',
    counts: [{ count: 2 }],
    alerts: [{ rule: 'Drop', mitre: ['T1059', 'TA0002'] }],
  }),
  record(2, 'step.applied', { text: 'Cuts the pod off: cart-1', action: 'quarantinePod' }),
  record(3, 'alert.joined', { counts: [{ count: 40 }] }),
  record(4, 'step.applied', { text: 'Keeps the logs', action: 'collectLogs', output: { evidence: { key: 'k' } } }),
  record(5, 'incident.verdict', { text: 'malicious: a miner', incident: 'malicious' }),
];
const entity = 'other';
const draftOf = (regime: (typeof regimes)[number], stage: (typeof stages)[number]) =>
  notificationDraft({ incident, records, regime, stage, entity });

describe('a draft of a notification', () => {
  test('says when it is due and by which article, counted from the first alert', () => {
    expect(draftOf('nis2', 'early-warning')).toMatchObject({
      awareAt: '2026-03-01T10:01:00.000Z',
      dueAt: '2026-03-02T10:01:00.000Z',
      by: expect.stringContaining('23(4)(a)'),
    });
    expect(draftOf('cra-incident', 'notification').dueAt).toBe('2026-03-04T10:01:00.000Z');
    expect(draftOf('nis2', 'final').dueAt).toBe('2026-04-04T10:01:00.000Z');
    expect(draftOf('nis2', 'final').awareBy).toBe('the first alert');
  });

  test('counts from the time that people put on record, and says who did', () => {
    const clock = { awareAt: Date.parse('2026-03-02T00:00:00Z'), notifiedAt: Date.parse('2026-03-03T00:00:00Z'), by: 'ada' };
    const draft = notificationDraft({ incident, records, regime: 'nis2', stage: 'final', entity, clock });
    expect(draft).toMatchObject({ awareAt: '2026-03-02T00:00:00.000Z', awareBy: 'recorded by ada' });
    expect(draft.dueAt).toBe('2026-04-03T00:00:00.000Z');
  });

  test('has no due date for the final report on a vulnerability until there is a measure', () => {
    const draft = draftOf('cra-vulnerability', 'final');
    expect(draft.dueAt).toBeNull();
    expect(notificationText(draft)).toContain('**The due date is not known yet.**');
    const measureAt = Date.parse('2026-03-10T08:00:00Z');
    expect(dueAt('cra-vulnerability', 'final', { entity, awareAt: 0, measureAt })).toBe(Date.parse('2026-03-24T08:00:00Z'));
  });

  test.each([
    ['2026-01-31T23:30:00.000Z', '2026-02-28T23:30:00.000Z'],
    ['2028-01-31T00:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['2026-02-28T12:00:00.000Z', '2026-03-28T12:00:00.000Z'],
    ['2026-12-15T06:00:00.000Z', '2027-01-15T06:00:00.000Z'],
  ])('counts a month after %s as %s: no later than the law says', (notified, due) => {
    const at = dueAt('nis2', 'final', { entity, awareAt: 0, notifiedAt: Date.parse(notified) });
    expect(at === undefined ? undefined : new Date(at).toISOString()).toBe(due);
  });

  test('states what the records say, each line with its record', () => {
    const { facts, course } = draftOf('nis2', 'notification');
    expect(Object.fromEntries(facts)).toMatchObject({
      Where: 'Deployment cart in the namespace shop of the cluster c',
      Alerts: '42',
      Techniques: 'T1059, TA0002',
      'Verdict of people': 'malicious',
      State: 'open',
      Evidence: 'kept by 1 step, with hashes in the records',
    });
    expect(course.map((one) => one.record)).toEqual([1, 2, 4, 5].map((number) => `${chain}#${number}`));
  });

  test.each(regimes.flatMap((regime) => stages.map((stage) => [regime, stage] as const)))(
    '%s %s leaves judgements to people, and escapes markup from an alert',
    (regime, stage) => {
      const draft = draftOf(regime, stage);
      const text = notificationText(draft);
      expect(draft.toFillIn.length).toBeGreaterThan(0);
      for (const one of draft.toFillIn) expect(text).toContain(`- [ ] ${one}`);
      expect(text).toContain('\\[x\\](http://evil.example) \\# urgent');
      expect(text.match(/^# /gm)).toHaveLength(1);
    },
  );

  test('asks for what its article requires, and says where the law sets another time than the clock', () => {
    expect(draftOf('cra-incident', 'notification').toFillIn.join()).toContain('a first assessment');
    expect(draftOf('cra-vulnerability', 'early-warning').toFillIn.join()).not.toContain('unlawful');
    expect(draftOf('nis2', 'notification').toFillIn.join()).toContain('set `incidents.deadlines.entity`');
    expect(draftOf('nis2', 'final').toFillIn.join()).toContain('Article 23(4)(e)');
  });

  test('is due after 24 hours if a trust service provider notifies under NIS2, but not in their other cases', () => {
    const mine = { incident, records, entity: 'trust-service-provider' } as const;
    const draft = notificationDraft({ ...mine, regime: 'nis2', stage: 'notification' });
    expect(draft.dueAt).toBe('2026-03-02T10:01:00.000Z');
    expect(draft.by).toContain('Article 23(4), second subparagraph, of Directive (EU) 2022/2555');
    expect(draft.toFillIn.join()).toContain('it is due 72 hours after becoming aware, by Article 23(4)(b)');
    // A month after the last moment for the notification.
    expect(notificationDraft({ ...mine, regime: 'nis2', stage: 'final' }).dueAt).toBe('2026-04-02T10:01:00.000Z');
    expect(notificationDraft({ ...mine, regime: 'cra-incident', stage: 'notification' })).toEqual(
      draftOf('cra-incident', 'notification'),
    );
  });

  test('does not call a verdict missing if its text was removed by order, and names the emptied records', () => {
    const emptied = records.map((one) => (one.number >= 4 ? removedRecord(one) : one));
    const draft = notificationDraft({ incident, records: emptied, regime: 'nis2', stage: 'final', entity });
    expect(Object.fromEntries(draft.facts)).toMatchObject({
      'Verdict of people': 'given at 2026-03-01T10:05:00.000Z; its content was removed by order',
      'Removed by order': 'the content of records 4, 5 is not counted above',
    });
    expect(draftOf('nis2', 'final').facts.map(([name]) => name)).not.toContain('Removed by order');
  });

  test('needs the first record of the incident', () => {
    expect(() => notificationDraft({ incident, records: records.slice(1), regime: 'nis2', stage: 'final', entity })).toThrow(
      RangeError,
    );
  });
});
