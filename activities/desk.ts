import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditRecord, AuditWriter, ChainHead } from '../core/audit.ts';
import type { MessageRef, Notice, QuestionCard, ThreadPost } from '../core/card.ts';
import type { ClickAnswer } from '../core/click-reply.ts';
import { type CardBeliefs, groupsOf, type QuestionPost, questionCard } from '../core/question-card.ts';
import type { SimilarIncidents } from '../core/similar.ts';
import type { DeskActivities } from '../core/step.ts';
import { asFailure } from './failures.ts';

/** A card, who may click on it, and who asks: all of it made of the question. */
export interface CardPost {
  readonly card: QuestionCard;
  readonly groups: readonly string[];
  readonly requester: string;
}

/** What the desk shows people with: Slack, or nothing where none is configured. */
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

/** A card goes out without what is not known by then: the next edit of it may bring it. */
const similarWithinMs = 250;

/** The desk's activities. Without Slack questions are still open: the command line answers them. */
export function createDeskActivities({
  cards,
  beliefs,
  audit,
  incidents,
  log = () => undefined,
}: {
  readonly cards?: CardDesk;
  readonly beliefs: CardBeliefs;
  readonly audit: AuditWriter;
  /** What is remembered of earlier incidents: it delays no card and stops no record. */
  readonly incidents?: SimilarIncidents;
  readonly log?: (message: string, error: unknown) => void;
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
  const record = async (records: readonly AuditRecord[]): Promise<ChainHead> => {
    const head = await audit.append(records);
    await incidents?.note(records).catch((error: unknown) => log('incidents could not be indexed', error));
    return head;
  };
  return {
    postQuestion: (post) => (cards ? safely(made(post).then(cards.postQuestion)) : Promise.resolve(null)),
    updateQuestion: (post) => (cards ? safely(made(post).then(cards.updateQuestion)) : Promise.resolve()),
    postInThread: (post) => (cards ? safely(cards.postInThread(post)) : Promise.resolve(null)),
    showNotice: (notice) => (cards ? safely(cards.showNotice(notice)) : Promise.resolve(null)),
    answerClick: (answer) => (cards ? safely(cards.answerClick(answer)) : Promise.resolve()),
    recordAudit: (records) => safely(record(records)),
  };
}
