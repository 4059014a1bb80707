import { setTimeout as sleep } from 'node:timers/promises';
import type { DeskActivities } from '../../core/action/step.ts';
import {
  type AlertArchive,
  type OutgoingRecord,
  type SealedAlerts,
  sealedAt,
  vouchedFor,
} from '../../core/audit/alert-archive.ts';
import {
  type AuditWriter,
  type ChainHead,
  genesisHash,
  OriginCheck,
  type RecordSignature,
  type SignedRecord,
  storable,
} from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { MessageRef, Notice, QuestionCard, ThreadPost } from '../../core/cards/card.ts';
import { type CardBeliefs, groupsOf, type QuestionPost, questionCard } from '../../core/cards/question-card.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { ClickAnswer } from '../../core/incident/click-reply.ts';
import type { SimilarIncidents } from '../../core/incident/similar.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { asFailure } from '../failures.ts';

/** A card, who may click on it, and who asks: all of it derived from the question. */
interface CardPost {
  readonly card: QuestionCard;
  readonly groups: readonly string[];
  readonly requester: string;
}

/** What the desk uses to reach people: Slack, or nothing if none is configured. */
export interface CardDesk {
  postQuestion(post: CardPost): Promise<MessageRef>;
  updateQuestion(post: CardPost): Promise<void>;
  postInThread(post: ThreadPost): Promise<MessageRef>;
  showNotice(notice: Notice): Promise<MessageRef>;
  answerClick(answer: ClickAnswer): Promise<void>;
}

async function safely<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asFailure(error);
  }
}

/** Stores alerts unchanged, and only sealed. */
export interface AlertKeeper extends Pick<AlertArchive, 'keep'> {
  readonly seal: (bytes: Uint8Array, aad: string) => Uint8Array;
}

/** Anything that the record does not vouch for has no owner: it is not kept. */
function sealedAlertsOf(given: OutgoingRecord, seal: AlertKeeper['seal']): readonly SealedAlerts[] {
  const { chain, number, at } = storable(given);
  const text = given.kept === undefined ? undefined : vouchedFor(given.kept, given);
  return text === undefined ? [] : [{ chain, number, at, sealed: seal(Buffer.from(text), sealedAt({ chain, number })) }];
}

const unsigned: RecordSignature = { keyId: '', follows: genesisHash, salt: '', signature: '' };

/** A card is sent without anything that is not known by then: its next edit may add it. */
const similarWithinMs = 250;

/** The desk's activities. Without Slack, questions can still be answered from the command line. */
export function createDeskActivities({
  cards,
  beliefs,
  audit,
  trust,
  archive,
  incidents,
  log = () => undefined,
  onFinding = () => undefined,
}: {
  readonly cards?: CardDesk;
  readonly beliefs: CardBeliefs;
  readonly audit: Pick<AuditWriter, 'append'>;
  /** Whose records are accepted for which chain. */
  readonly trust: Trust;
  /** Where alerts are stored unchanged. Absent: they are not kept. */
  readonly archive?: AlertKeeper | undefined;
  /** What is remembered of earlier incidents: never delays a card or stops a record. */
  readonly incidents?: SimilarIncidents;
  readonly log?: (message: string, error: unknown) => void;
  /** Called when something is wrong with incoming records, or with what was found in their place. */
  readonly onFinding?: (finding: Finding) => void;
}): DeskActivities {
  const withSimilar = async (post: CardPost): Promise<CardPost> => {
    if (!incidents) return post;
    const { incident, happened } = post.card;
    const { rule, image } = happened;
    const asked = incidents.similarTo({ incident, rule, ...(image !== undefined && { image }) }).catch((error: unknown) => {
      log('similar incidents could not be looked up', error);
      return undefined;
    });
    const late = new AbortController();
    const similar = await Promise.race([asked, sleep(similarWithinMs, undefined, { signal: late.signal })]);
    late.abort();
    return similar ? { ...post, card: { ...post.card, similar } } : post;
  };
  const made = async (post: QuestionPost): Promise<CardPost> => {
    const { question } = post;
    return withSimilar({ card: questionCard(post, beliefs), groups: groupsOf(question), requester: question.requester });
  };
  const record = async (
    given: readonly OutgoingRecord[],
    signatures: readonly RecordSignature[] | undefined,
  ): Promise<ChainHead> => {
    const records = given.map(storable);
    const signed = records.map((one, index): SignedRecord => {
      const { keyId, follows, salt, signature } = signatures?.[index] ?? unsigned;
      return { record: one, keyId, follows, salt, signature };
    });
    const origin = new OriginCheck(trust);
    for (const one of signed.toReversed()) {
      const problem = origin.problemOf(one);
      if (problem === undefined) continue;
      const { chain, number } = one.record;
      const text = `${chain} record ${number} ${problem}`;
      onFinding({ kind: 'record-forged', chain, number, text });
      throw new FirebreakError('FB_ERR_AUDIT_ORIGIN', text);
    }
    const { head, found } = await audit.append(signed);
    for (const finding of found) onFinding(finding);
    if (archive) await archive.keep(given.flatMap((one) => sealedAlertsOf(one, archive.seal)));
    await incidents?.note(records).catch((error: unknown) => log('incidents could not be indexed', error));
    return head;
  };
  return {
    postQuestion: (post) => (cards ? safely(made(post).then(cards.postQuestion)) : Promise.resolve(null)),
    updateQuestion: (post) => (cards ? safely(made(post).then(cards.updateQuestion)) : Promise.resolve()),
    postInThread: (post) => (cards ? safely(cards.postInThread(post)) : Promise.resolve(null)),
    showNotice: (notice) => (cards ? safely(cards.showNotice(notice)) : Promise.resolve(null)),
    answerClick: (answer) => (cards ? safely(cards.answerClick(answer)) : Promise.resolve()),
    recordAudit: (records, signatures) => safely(record(records, signatures)),
  };
}
