import type { AuditRecord } from '../../../core/audit/audit.ts';
import { isQuestion } from '../../../core/audit/decision-events.ts';
import { labelIn } from '../../../core/cards/choice-label.ts';
import type { PastQuestion } from '../../../core/console/console.schema.ts';
import type { Question } from '../../../core/decide/approval.ts';
import { isOfLease, standingText } from '../../../core/decide/standing-question.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { personNames } from '../../incidents/names.ts';

const endKinds = { 'question.decided': 'decided', 'question.expired': 'expired', 'question.void': 'void' } as const;

function isEnd(kind: string): kind is keyof typeof endKinds {
  return Object.hasOwn(endKinds, kind);
}

type Answer = PastQuestion['answers'][number];

/**
 * Questions that are over, newest first: how each was answered, by whom and why. Read only from the records, which prove themselves: the incident may be gone,
 * and the desk forgets its cards. A lease's question is put on record with the answer that decides it.
 */
export function pastQuestionsOf(records: readonly AuditRecord[], roster: Roster): PastQuestion[] {
  const nameOf = personNames(roster);
  const asked = new Map<string, { readonly question: Question; readonly at: string }>();
  const answers = new Map<string, Answer[]>();
  const over: PastQuestion[] = [];
  for (const { kind, at, body, number } of records) {
    if (kind === 'question.asked' && isQuestion(body.question)) asked.set(body.question.id, { question: body.question, at });
    // With a further finding, people were asked anew: earlier answers did not count.
    if (kind === 'question.joined' && isQuestion(body.question)) {
      const { question } = body;
      asked.set(question.id, { at, ...asked.get(question.id), question });
      answers.delete(question.id);
    }
    const { vote } = body;
    if (kind === 'vote.accepted' && isObject(vote) && typeof vote.question === 'string') {
      const said = { person: nameOf(String(vote.person)), choice: String(vote.choice), at: String(vote.at) };
      const others = (answers.get(vote.question) ?? []).filter(({ person }) => person !== said.person);
      answers.set(vote.question, [...others, { ...said, reason: typeof vote.reason === 'string' ? vote.reason : null }]);
    }
    if (!isEnd(kind) || typeof body.question !== 'string') continue;
    const known = asked.get(body.question) ?? (isQuestion(body.asked) ? { question: body.asked, at } : undefined);
    const given = answers.get(body.question) ?? [];
    // A lease's question is asked again after each answer.
    answers.delete(body.question);
    if (!known) continue;
    const { question } = known;
    const decidedBy = Array.isArray(body.by) ? body.by.filter((one) => typeof one === 'string') : [];
    over.push({
      number,
      kind: isOfLease(question.id) ? 'lease' : 'question',
      text: isOfLease(question.id) ? standingText(question) : question.text,
      state: endKinds[kind],
      askedAt: known.at,
      endedAt: at,
      choice: kind === 'question.decided' ? labelIn(question, String(body.choice)) : null,
      by: decidedBy.map(nameOf),
      why: kind === 'question.decided' ? null : typeof body.text === 'string' ? body.text : null,
      answers: given.map((one) => ({ ...one, choice: labelIn(question, one.choice) })),
    });
  }
  return over.reverse();
}
