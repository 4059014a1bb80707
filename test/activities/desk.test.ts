import { describe, expect, test } from '@jest/globals';
import { type CardDesk, createDeskActivities } from '../../activities/desk.ts';
import type { AuditRecord } from '../../core/audit.ts';
import type { QuestionCard } from '../../core/card.ts';
import type { Similar, SimilarIncidents } from '../../core/similar.ts';
import { questionCard } from '../integrations/slack/fixture.ts';

const similar: Similar = { by: 'image', days: 90, total: 1, verdicts: { benign: 1 }, latest: [] };

function deskWith(similarTo: SimilarIncidents['similarTo'], note: SimilarIncidents['note'] = async () => undefined) {
  const posted: QuestionCard[] = [];
  const said: string[] = [];
  const cards: CardDesk = {
    postQuestion: async ({ card }) => {
      posted.push(card);
      return { channel: 'C1', ts: '1' };
    },
    updateQuestion: async ({ card }) => {
      posted.push(card);
    },
    postInThread: async () => ({ channel: 'C1', ts: '2' }),
    showNotice: async () => ({ channel: 'C1', ts: '3' }),
    answerClick: async () => undefined,
  };
  const desk = createDeskActivities({
    cards,
    audit: { append: async (records) => ({ chain: 'a', number: records.length, hash: 'h' }) },
    incidents: { similarTo, note },
    log: (message) => said.push(message),
  });
  return { desk, posted, said };
}

const post = { card: questionCard(), groups: ['oncall'], requester: 'playbook/x' };
const record: AuditRecord = {
  chain: 'a',
  number: 1,
  at: '2026-03-01T10:00:00Z',
  kind: 'incident.closed',
  actor: 'engine',
  body: {},
};

describe('what the desk knows of earlier incidents', () => {
  test('is on the card when it is posted and when it is edited', async () => {
    const { desk, posted } = deskWith(async () => similar);
    await desk.postQuestion(post);
    await desk.updateQuestion(post);
    expect(posted.map((card) => card.similar)).toEqual([similar, similar]);
  });

  test('delays no card, and spoils none', async () => {
    const hanging = deskWith(() => new Promise(() => undefined));
    await hanging.desk.postQuestion(post);
    expect(hanging.posted).toEqual([questionCard()]);
    const failing = deskWith(async () => {
      throw new Error('no database');
    });
    await failing.desk.postQuestion(post);
    expect(failing.posted).toEqual([questionCard()]);
    expect(failing.said).toEqual(['similar incidents could not be looked up']);
  });

  test('stops no record', async () => {
    const { desk, said } = deskWith(
      async () => undefined,
      async () => {
        throw new Error('no database');
      },
    );
    expect(await desk.recordAudit([record])).toMatchObject({ number: 1 });
    expect(said).toEqual(['incidents could not be indexed']);
  });
});
