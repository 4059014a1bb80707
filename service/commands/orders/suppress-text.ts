import type { ControlState } from '../../../core/decide/control.ts';
import { isSuppression, type SuppressionState } from '../../../core/decide/decision.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { narrowingText, suppressedWorkload } from '../../../core/orders/suppression.ts';
import { type Names, namesWithIds } from '../../incidents/names.ts';
import { controlState, type Session } from '../../incidents/session.ts';
import { type HiddenAlert, type HiddenCount, readHidden } from '../../intake/spool/hidden-alerts.ts';
import { print, printable, printFacts, printJson, printTable } from '../output.ts';
import { isOver, type ListOptions } from './decide.ts';

type Hidden = ReadonlyMap<string, { readonly count: HiddenCount; readonly alerts: readonly HiddenAlert[] }> | undefined;

function idOf({ proposal }: SuppressionState): string {
  return proposal.order.terms.id;
}

function votesOn(state: ControlState, { question }: SuppressionState, { person }: Names): string {
  const asked = state.questions.find((one) => one.question.id === question);
  return asked?.votes.map(({ vote }) => `${person(vote.person)}: ${vote.choice}`).join(', ') ?? '';
}

function countText(hidden: Hidden, id: string): string {
  // Only the machine with the spool has this count.
  if (hidden === undefined) return '?';
  return String(hidden.get(id)?.count.count ?? 0);
}

/** `firebreak suppress list`. */
export async function listSuppressions(session: Session, options: ListOptions): Promise<void> {
  const state = await controlState(session);
  const rows = state.decisions.filter(isSuppression).filter((one) => options.all || !isOver(one));
  const hidden = await readHidden(session.config.intake.spool.dir, rows.map(idOf));
  if (options.json) {
    printJson(
      rows.map((one) => {
        const { order } = one.proposal;
        return { ...order.terms, proposer: order.person, status: one.status, hidden: hidden?.get(order.terms.id)?.count ?? null };
      }),
    );
    return;
  }
  if (rows.length === 0) return print(options.all ? 'No suppressions.' : 'Nothing is hidden, and nothing is proposed.');
  const { person } = namesWithIds(session.config.roster);
  printTable(rows, [
    { title: 'ID', text: idOf },
    { title: 'STATE', text: ({ status }) => status.state },
    { title: 'UNTIL', text: ({ proposal }) => proposal.order.terms.until.replace('T', ' ').slice(0, 16) },
    { title: 'UP TO', text: ({ proposal }) => proposal.order.terms.upTo },
    { title: 'HIDDEN', text: (one) => countText(hidden, idOf(one)) },
    { title: 'OWNER', text: ({ proposal }) => person(proposal.order.terms.owner) },
    { title: 'WORKLOAD', text: ({ proposal }) => suppressedWorkload(proposal.order.terms.match) },
    { title: 'RULE', text: ({ proposal }) => proposal.order.terms.match.rule },
  ]);
}

/** `firebreak suppress show`. @throws FB_ERR_UNKNOWN_ID. */
export async function showSuppression(session: Session, id: string, options: { readonly json?: true }): Promise<void> {
  const state = await controlState(session);
  const found = state.decisions.filter(isSuppression).find((one) => idOf(one) === id);
  if (!found) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no suppression ${id}`);
  const hidden = await readHidden(session.config.intake.spool.dir, [id]);
  const what = hidden?.get(id);
  if (options.json) {
    const question = state.questions.find((one) => one.question.id === found.question);
    printJson({ ...found, question: question ?? null, hidden: what ?? null });
    return;
  }
  const { terms, person, via } = found.proposal.order;
  const { match } = terms;
  const only = narrowingText(match);
  const names = namesWithIds(session.config.roster);
  const facts: readonly (readonly [string, string])[] = [
    ['id', id],
    ['state', found.status.state],
    ['rule', match.rule],
    ['workload', suppressedWorkload(match)],
    ['image', match.image.digest],
    ...(only === undefined ? [] : [['only where', only] as const]),
    ['hides', `${terms.upTo} at worst`],
    ['from', terms.from],
    ['until', terms.until],
    ['owner', names.person(terms.owner)],
    ['proposed by', via === 'slack' ? `${names.person(person)}, in Slack` : names.person(person)],
    ['votes', votesOn(state, found, names)],
    ['reason', terms.reason],
    ['hidden', what ? `${what.count.count}, from ${what.count.firstSeen} to ${what.count.lastSeen}` : countText(hidden, id)],
  ];
  printFacts(facts.map(([name, value]) => [name, printable(value)]));
  if (hidden === undefined) print('What it has hidden is known only on the machine with the spool.');
  if (!what || what.alerts.length === 0) return;
  print();
  printTable(what.alerts.slice(0, 50), [
    { title: 'AT', text: ({ at }) => at.replace('T', ' ').slice(0, 19) },
    { title: 'SEVERITY', text: ({ alert }) => alert.severity },
    { title: 'POD', text: ({ alert }) => alert.pod?.name ?? '' },
    { title: 'ALERT', text: ({ alert }) => alert.title.slice(0, 120) },
  ]);
}
