import type { ConsoleSession } from '../../core/console/console.schema.ts';
import { useAsked } from '../api.ts';
import { Empty, Problem, usePage, Waiting } from '../parts/common.tsx';
import { Question } from '../parts/question.tsx';

export function Questions({ session }: { readonly session: ConsoleSession }) {
  usePage('Questions');
  const { data, fault, isLoading, again } = useAsked('questions', {}, () => true);
  const mine = (data?.items ?? []).filter((one) => one.mine.may);
  const others = (data?.items ?? []).filter((one) => !one.mine.may);
  return (
    <>
      <h1>Questions for me</h1>
      {fault && <Problem fault={fault} again={again} />}
      {isLoading && <Waiting what="Loading questions" />}
      {data && mine.length === 0 && (
        <Empty title="Nothing is waiting for you">
          <p>Questions that you may answer appear here automatically.</p>
        </Empty>
      )}
      {mine.map((question) => (
        <Question key={question.id} question={question} session={session} />
      ))}
      {others.length > 0 && <h2>For others</h2>}
      {others.map((question) => (
        <Question key={question.id} question={question} session={session} />
      ))}
    </>
  );
}

/** One question at its own address: from a link, and where a sign-in returns to. */
export function OneQuestion({ id, session }: { readonly id: string; readonly session: ConsoleSession }) {
  const { data, fault, isLoading, again } = useAsked('question', { params: { question: id } }, () => true);
  usePage(data?.text ?? 'Question');
  return (
    <>
      <p class="small">
        <a href="/console/questions">Questions for me</a>
      </p>
      <h1 class="unseen">Question</h1>
      {fault && <Problem fault={fault} again={again} />}
      {isLoading && <Waiting what="Loading the question" />}
      {data && !data.live && (
        <div class="notice">
          <p>
            <strong>The incident is not responding.</strong> This is its last known state. You can still answer.
          </p>
        </div>
      )}
      {data && <Question question={data} session={session} />}
    </>
  );
}
