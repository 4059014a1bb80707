import { describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { RecordedQuestions } from '../../../core/audit/decision-events.ts';
import { reportOfQuestions } from '../../../core/audit/decision-report.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { recordsOf } from '../decision-records.ts';

const monday = Date.parse('2026-06-01T09:00:00Z');
const hour = 3_600_000;
const person = (id: string) => ({ id, name: id, slackIds: [], keys: [] });

/** Ada and Grace take turns of 12 hours; both leads are always asked. */
const roster: Roster = {
  people: ['ada', 'grace', 'lea', 'tim'].map(person),
  groups: { oncall: ['ada', 'grace'], leads: ['lea', 'tim'] },
  schedules: {
    oncall: {
      timeZone: 'UTC',
      rotations: [],
      shifts: [
        { person: 'ada', from: monday, until: monday + 12 * hour },
        { person: 'grace', from: monday + 12 * hour, until: monday + 24 * hour },
        { person: 'ada', from: monday + 24 * hour, until: monday + 36 * hour },
      ],
      overrides: [],
    },
  },
};
const reported = (records: readonly AuditRecord[]) => {
  const told = new RecordedQuestions();
  for (const record of records) told.add(record);
  return reportOfQuestions({ questions: told.all(), roster, since: monday, until: monday + 48 * hour });
};

describe('how people decide', () => {
  const told = [
    { id: 'a', at: monday + hour, votes: [{ person: 'ada', choice: 'remove', after: 4 }], end: 'decided' },
    { id: 'b', at: monday + 2 * hour, votes: [{ person: 'ada', choice: 'keep', after: 5 }], end: 'decided' },
    { id: 'c', at: monday + 13 * hour, votes: [{ person: 'grace', choice: 'remove', after: 300 }], end: 'decided' },
    { id: 'd', at: monday + 25 * hour, playbook: 'ask', escalatedAfter: 900, end: 'expired' },
    { id: 'e', at: monday + 26 * hour, playbook: 'ask' },
    { id: 'f', at: monday + 27 * hour, playbook: 'ask', actors: ['ada'], end: 'void' },
  ] as const;
  const report = reported(recordsOf(told));

  test('counts the outcomes of questions, how long answers took, and approvals given too fast to have been read', () => {
    expect(report.all).toEqual({
      asked: 6,
      decided: 3,
      expired: 1,
      void: 1,
      open: 1,
      secondsToAnswer: { p50: 5, p90: 300 },
      quickApprovals: 1,
    });
    expect(report.byPlaybook).toEqual([
      expect.objectContaining({ playbook: 'ask', asked: 3, decided: 0, secondsToAnswer: null, quickApprovals: 0 }),
      expect.objectContaining({ playbook: 'contain', asked: 3, decided: 3, quickApprovals: 1 }),
    ]);
  });

  test('says how often each person was asked per shift: by the schedule, or by day, never counting the actor', () => {
    expect(report.people).toEqual([
      { person: 'ada', questions: 4, answers: 2, quickApprovals: 1, shifts: 2, perShift: 2, mostInAShift: 2 },
      { person: 'grace', questions: 1, answers: 1, quickApprovals: 0, shifts: 1, perShift: 1, mostInAShift: 1 },
      { person: 'lea', questions: 1, answers: 0, quickApprovals: 0, shifts: 1, perShift: 1, mostInAShift: 1 },
      { person: 'tim', questions: 1, answers: 0, quickApprovals: 0, shifts: 1, perShift: 1, mostInAShift: 1 },
    ]);
  });

  test('leaves out earlier questions and unreadable records', () => {
    const [, ...rest] = recordsOf([
      { id: 'a', at: monday, votes: [{ person: 'ada', choice: 'remove', after: 4 }], end: 'decided' },
    ]);
    const odd = { chain: 'x', number: 1, at: 'x', actor: 'x', body: { question: 7, vote: 'no' } };
    const records = [...rest, { ...odd, kind: 'question.asked' }, { ...odd, kind: 'vote.accepted' }];
    expect(reported(records).all).toMatchObject({ asked: 0, secondsToAnswer: null });
  });
});
