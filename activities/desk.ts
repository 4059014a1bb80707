import type { AuditWriter } from '../core/audit.ts';
import type { MessageRef, Notice, QuestionCard, ThreadPost } from '../core/card.ts';
import type { DeskActivities } from '../core/step.ts';
import { asFailure } from './failures.ts';

/** What the desk shows people with: Slack, or nothing where none is configured. */
export interface CardDesk {
  postQuestion(post: {
    readonly card: QuestionCard;
    readonly groups: readonly string[];
    readonly requester: string;
  }): Promise<MessageRef>;
  updateQuestion(post: {
    readonly card: QuestionCard;
    readonly groups: readonly string[];
    readonly requester: string;
  }): Promise<void>;
  postInThread(post: ThreadPost): Promise<MessageRef>;
  showNotice(notice: Notice): Promise<MessageRef>;
  answerClick(answer: { readonly channel: string; readonly user: string; readonly text: string }): Promise<void>;
}

async function safely<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asFailure(error);
  }
}

/** The desk's activities. Without Slack questions are still open: the command line answers them. */
export function createDeskActivities({
  cards,
  audit,
}: {
  readonly cards?: CardDesk;
  readonly audit: AuditWriter;
}): DeskActivities {
  return {
    postQuestion: (post) => (cards ? safely(cards.postQuestion(post)) : Promise.resolve(null)),
    updateQuestion: (post) => (cards ? safely(cards.updateQuestion(post)) : Promise.resolve()),
    postInThread: (post) => (cards ? safely(cards.postInThread(post)) : Promise.resolve(null)),
    showNotice: (notice) => (cards ? safely(cards.showNotice(notice)) : Promise.resolve(null)),
    answerClick: (answer) => (cards ? safely(cards.answerClick(answer)) : Promise.resolve()),
    recordAudit: (records) => safely(audit.append(records)),
  };
}
