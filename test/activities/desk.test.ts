import { describe, expect, test } from '@jest/globals';
import { type CardDesk, createDeskActivities } from '../../activities/desk/desk.ts';
import { type SealedAlerts, sealedAt, storedAlerts } from '../../core/audit/alert-archive.ts';
import type { AuditRecord, RecordSignature, SignedRecord } from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import { type QuestionPost, questionCard } from '../../core/cards/question-card.ts';
import type { Similar, SimilarIncidents } from '../../core/incident/similar.ts';
import { deskMaker, maker, makersTrust, newMaker } from '../suites/signed-records.ts';
import { alertOf } from '../testing/alert-of.ts';

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
    beliefs,
    audit: { append: async (records) => ({ head: { chain: 'a', number: records.length, hash: 'h' }, found: [] }) },
    trust: makersTrust,
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
    onSilence: 'Nothing is done.',
  },
  about: {
    kind: 'incident',
    happened: { rule: 'a rule', sensor: 'falco', at: '2026-03-01T10:00:00Z', count: 1 },
    contained: [],
    evidence: [],
  },
  stand: { severity: 'high', level: 0, until: '2026-03-01T11:00:00Z', votes: [], status: { state: 'open' } },
};
const record: AuditRecord = {
  chain: 'incident/c/node/n1@run-1',
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

  test('neither delays nor breaks a card', async () => {
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

  test('never stops a record', async () => {
    const { desk, said } = deskWith(
      async () => undefined,
      async () => {
        throw new Error('no database');
      },
    );
    expect(await desk.recordAudit([record], [maker.sign(record)])).toMatchObject({ number: 1 });
    expect(said).toEqual(['incidents could not be indexed']);
  });
});

describe('records', () => {
  function keeper() {
    const kept: SignedRecord[] = [];
    const findings: Finding[] = [];
    const desk = createDeskActivities({
      audit: {
        append: async (records) => {
          kept.push(...records);
          return { head: { chain: 'a', number: kept.length, hash: 'h' }, found: [] };
        },
      },
      beliefs,
      trust: makersTrust,
      onFinding: (finding) => findings.push(finding),
    });
    return { desk, kept, findings };
  }

  test('are accepted with the signatures of the incident’s own cell, in the form in which they are stored', async () => {
    const { desk, kept } = keeper();
    const odd = { ...record, number: 2, body: { text: 'cut \ud83d', none: undefined } };
    const batch = [record, odd];
    await desk.recordAudit(batch, batch.map(maker.sign));
    expect(kept).toEqual([maker.sign(record), maker.sign({ ...odd, body: { text: 'cut \ufffd' } })]);
  });

  test('have their alerts stored sealed if they vouch for them, and not in any record', async () => {
    const kept: SealedAlerts[] = [];
    const records: SignedRecord[] = [];
    const desk = createDeskActivities({
      audit: {
        append: async (given) => {
          records.push(...given);
          return { head: { chain: 'a', number: 1, hash: 'h' }, found: [] };
        },
      },
      archive: { keep: async (alerts) => void kept.push(...alerts), seal: (bytes, aad) => Buffer.from(`${aad}|${bytes.length}`) },
      beliefs,
      trust: makersTrust,
    });
    const { text, digest } = storedAlerts([alertOf({ process: { commandLine: 'psql --password=hunter2' } })], 'salt');
    const vouching = { ...record, body: { kept: digest } };
    const other = { ...record, number: 2 };
    await desk.recordAudit(
      [
        { ...vouching, kept: text },
        { ...other, kept: text },
      ],
      [vouching, other].map(maker.sign),
    );
    const { chain, number, at } = record;
    expect(kept).toEqual([{ chain, number, at, sealed: Buffer.from(`${sealedAt(record)}|${text.length}`) }]);
    expect(records).toEqual([vouching, other].map(maker.sign));
  });

  const elsewhere = { ...record, chain: 'incident/other/node/n1@run-1' };
  test.each<readonly [string, AuditRecord, readonly RecordSignature[] | undefined, RegExp]>([
    ['without a signature', record, undefined, /is not signed/],
    ['with too few signatures', record, [], /is not signed/],
    ['of a stranger', record, [newMaker().sign(record)], /no valid signature of a known cell or desk/],
    ['with the signature of another record', record, [maker.sign({ ...record, number: 2 })], /no valid signature/],
    [
      'with the signature of the same record in another run',
      record,
      [maker.sign({ ...record, chain: `${record.chain}2` })],
      /no valid/,
    ],
    ['of a desk, for an incident', record, [deskMaker.sign(record)], /is signed by a desk, which does not write this chain/],
    ['of the cell of another cluster', elsewhere, [maker.sign(elsewhere)], /is signed by the cell of c, which does not/],
    [
      'of a cell, for a desk’s chain',
      { ...record, chain: 'desk/c' },
      [maker.sign({ ...record, chain: 'desk/c' })],
      /signed by the cell/,
    ],
    ['for an unknown chain', { ...record, chain: 'a@1' }, [maker.sign({ ...record, chain: 'a@1' })], /nobody writes/],
  ])('%s are refused, and that is reported', async (_, given, signatures, why) => {
    const { desk, kept, findings } = keeper();
    await expect(desk.recordAudit([given], signatures)).rejects.toMatchObject({
      type: 'FB_ERR_AUDIT_ORIGIN',
      nonRetryable: true,
    });
    expect(kept).toEqual([]);
    expect(findings).toEqual([{ kind: 'record-forged', chain: given.chain, number: 1, text: expect.stringMatching(why) }]);
  });
});
