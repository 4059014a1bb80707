import type { Senders } from '../../core/messages/message.ts';
import {
  activitiesOrderedBy,
  activityTable,
  outcomeOf,
  outcomeTexts,
  playedBack,
  type Stranger,
  workflowTable,
} from '../../core/messages/message-table.ts';

const strangers: readonly Stranger[] = ['temporal', 'payload-key', 'person'];

/** `docs/hostile-bus.md`, from the table of what can be sent over Temporal. */
export function hostileBusPage(): string {
  const workflows = Object.entries(workflowTable).flatMap(([type, { startedBy, signals, queries }]) => [
    row(`start of \`${type}\``, 'start', startedBy),
    ...Object.entries(signals).map(([name, from]) => row(`signal \`${name}\` to \`${type}\``, 'signal', from)),
    ...queries.map((name) => row(`query \`${name}\` of \`${type}\``, 'query', 'anybody')),
  ]);
  const activities = Object.entries(activityTable).flatMap(([role, names]) =>
    names.map((name) => row(`activity \`${name}\` on the queue of \`${role}\``, 'activity', activitiesOrderedBy)),
  );
  return [
    '# What somebody with access to Temporal can do',
    'Everything that can be sent to Firebreak over Temporal, and what comes of it when somebody sends it who is none of us: with access to Temporal alone; with the payload key besides; with the payload key and the key of a person of the roster. Of each row there is a test on a real server (`test/platform/temporal/hostile-bus.test.ts`), which fails as well when something is registered that is not in here. Why it is so: [decisions/hostile-bus.md](decisions/hostile-bus.md).',
    [
      '| what | whose word it takes | Temporal alone | with the payload key | with a person’s key besides |',
      '|---|---|---|---|---|',
      ...workflows,
      ...activities,
    ].join('\n'),
    '**A person’s own vote**, sent by that person with the payload key: alone it decides nothing where two are needed. Played back it counts once, and it does not come back when its person has answered anew since. For another question or asking, another incident, a choice that is none, in another’s name, by another way in, dated into the future, or back into a time as a stand-in, or changed after it was signed, it is refused, and that is on record. Votes and orders are checked in this test as a cell checks them.',
    'What was true once, sent again or set back, by whoever reaches Temporal with whatever keys:',
    [
      '| what | what comes of it |',
      '|---|---|',
      ...Object.values(playedBack).map(({ what, outcome }) => `| ${what} | ${outcome} |`),
    ].join('\n'),
    'An **answer** (of an activity or a query) that the pool or cell that was asked has not signed, for exactly that call, is no answer: the workflow asks again, and the asker is told. What is left is delay: a workflow can be ended, reset or filled up, and what was sent can be held back.',
  ].join('\n\n');
}

function row(what: string, kind: Parameters<typeof outcomeOf>[0], from: Senders): string {
  const whose = kind === 'query' ? '' : from === 'anybody' ? 'a person’s or a desk’s, signed' : from.join(', ');
  return `| ${[what, whose, ...strangers.map((stranger) => outcomeTexts[outcomeOf(kind, from, stranger)])].join(' | ')} |`;
}
