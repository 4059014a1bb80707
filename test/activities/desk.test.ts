import { describe, expect, test } from '@jest/globals';
import { type CardDesk, createDeskActivities } from '../../activities/desk.ts';
import type { AuditRecord } from '../../core/audit.ts';
import type { QuestionCard } from '../../core/card.ts';
import { type QuestionPost, questionCard } from '../../core/question-card.ts';
import type { Similar, SimilarIncidents } from '../../core/similar.ts';

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
    beliefs,
    incidents: { similarTo, note },
    log: (message) => said.push(message),
  });
  return { desk, posted, said };
}

const beliefs = { roster: { people: [], groups: {} }, keys: { deskKeyIds: [], keyIdsOf: () => [], verify: () => false } };
const post: QuestionPost = {
  question: {
    id: 'run-1/1-q',
    incident: { id: 'incident/prod-1/shop/Deployment/cart', run: 'run-1' },
    severity: 'high',
    text: 'Is it expected?',
    choices: [{ id: 'keep', label: 'Keep it', plans: [], quorum: 1 }],
    levels: [{ group: 'oncall', withinMs: 60_000 }],
    requester: 'playbook/x',
  },
  about: {
    kind: 'incident',
    happened: { rule: 'a rule', sensor: 'falco', at: '2026-03-01T10:00:00Z', count: 1 },
    contained: [],
    evidence: [],
    onSilence: 'Nothing is done.',
  },
  stand: { severity: 'high', level: 0, until: '2026-03-01T11:00:00Z', votes: [], status: { state: 'open' } },
};
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
    expect(hanging.posted).toEqual([questionCard(post, beliefs)]);
    const failing = deskWith(async () => {
      throw new Error('no database');
    });
    await failing.desk.postQuestion(post);
    expect(failing.posted).toEqual([questionCard(post, beliefs)]);
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
