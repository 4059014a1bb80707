import { actionOutputs } from '../../core/actions/outputs.schema.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { Duration } from '../../core/playbook/duration.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { graphOf } from '../../testing/graph.ts';
import { outcomeOf } from '../../testing/path-line.ts';
import type { SimulatedQuestion } from '../../testing/people.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story, StoryQuestion } from '../../testing/story.ts';
import { type Path, silence } from '../../testing/walk.ts';

const reached = { pod: { namespace: 'shop', name: 'cart-1', uid: 'u1' }, detours: [], unknown: [] };
/** Credentials reachable from a pod with an account and a Secret, and from one with neither. */
const reachable = [
  {
    ...reached,
    account: 'system:serviceaccount:shop:cart',
    secrets: [{ secret: 'shop/db', ways: ['env'] }],
    wide: ['list secrets in shop'],
  },
  { ...reached, secrets: [], wide: [] },
];

/**
 * Every outcome of a playbook on an alert: each way by answers alone; each question asked on any way, also if something goes wrong, with what each choice would
 * do; the incident's verdict after each answer; each ticket and each note. `shown` is what its page in the docs shows of it.
 */
export async function answersOf(playbook: ListedPlaybook, alert: Alert) {
  const filed = new Set<string>();
  const { problems, answers, paths } = await everyAnswer(playbook, alert, {
    outputs: {
      listReachableSecrets: reachable,
      openTicket: ({ title, body }: { readonly title: string; readonly body: string }) => {
        filed.add(`ticket “${title}”: ${body.replaceAll('\n\n', ' / ')}`);
        return { system: 'none', state: 'created' };
      },
    },
  });
  const stories = paths.map(({ story }) => story);
  const told = new Set(
    stories.flatMap((story) => [
      ...story.questions.map(questionLine),
      ...verdictLines(story),
      ...stepLines(story),
      ...noteLines(story),
    ]),
  );

  return {
    problems,
    lines: [...answers, ...(await slowLines(playbook, alert)), ...[...told, ...filed].toSorted()],
    shown: shownOf(playbook, alert, paths),
  };
}

/** The ways as a picture, and the playbook's own questions, each once; without the findings, which follow a question. */
function shownOf({ contains }: ListedPlaybook, { rule, severity, title, assessment }: Alert, paths: readonly Path[]) {
  const contained = assessment?.response === 'contain' ? ', contained at once' : ', not contained at once';
  const plain = (text: string): string => text.replace(title, '').trim();
  const { nodes, edges } = graphOf({ label: '', paths });
  const questions = new Map<string, Pick<StoryQuestion, 'text' | 'choices' | 'onSilence'>>();
  for (const { text, asker, choices, onSilence } of paths.flatMap(({ story }) => story.questions)) {
    if (asker === 'engine') continue;
    const question = { text: plain(text), choices, onSilence };
    questions.set(JSON.stringify(question), question);
  }
  return {
    alert: `${rule} (${severity}${contains ? contained : ''})`,
    graph: { nodes: nodes.map((node) => ({ ...node, text: plain(node.text) })), edges },
    questions: [...questions.values()],
  };
}

/** Which choice people take each time, and how long evidence takes meanwhile: the engine itself waits half an hour for it before a destructive step. */
const slowWays = [
  { which: 'first', place: 0, minutes: 120, ticket: '20m' },
  { which: 'second', place: 1, minutes: 120, ticket: '20m' },
  { which: 'last', place: -1, minutes: 24, ticket: '5h' },
] as const;

/** What is waited for, and before what: tickets and evidence are slow, sometimes one and sometimes the other is slower, and no two of a kind take equally long. */
async function slowLines(playbook: ListedPlaybook, alert: Alert): Promise<readonly string[]> {
  const names = Object.values(playbook.uses).map(({ name }) => name);
  const evidence = names.filter((name) => 'evidence' in (actionOutputs[name]?.shape ?? {}));
  const lines: string[] = [];
  for (const { which, place, minutes, ticket } of slowWays) {
    const slow = evidence.map((name, at) => [name, `${minutes + at}m` as Duration] as const);
    const takes: Readonly<Record<string, Duration>> = { openTicket: ticket, ...Object.fromEntries(slow) };
    const answer = ({ asker, choices }: SimulatedQuestion) => (asker === 'engine' ? silence : (choices.at(place)?.id ?? silence));
    const story = await simulate(playbook, { alert, takes, answer });
    const unwaited = story.notAwaited.map((step) => `; nobody waits for ${step}`).join('');
    lines.push(`where all is slow, and people take the ${which}: ${outcomeOf(story)}${unwaited}`);
  }
  return lines;
}

function questionLine({ text, asker, choices, groups, onSilence }: StoryQuestion): string {
  const offered = choices.map(({ id, label, plans, people, isHarmless }) =>
    [`${id} “${label}”`, plans.join('+'), people > 1 && `${people} people`, isHarmless && 'harmless'].filter(Boolean).join(', '),
  );
  return `${asker} asks ${groups.join(', ')}: ${text} ${offered.join(' | ')} | silence: ${onSilence}`;
}

/** Verdicts of the playbook's own questions, also if something failed before, which `answers` leaves out. */
function verdictLines({ questions, verdict }: Story): readonly string[] {
  const said = questions.filter(({ asker }) => asker !== 'engine').map(({ answer }) => answer);
  return said.length === 0 ? [] : [`answered ${said.join(', then ')}: ${verdict}`];
}

function stepLines({ steps }: Story): readonly string[] {
  return steps.map(({ action, target, reach }) => `${action} on ${target} (${reach})`);
}

function noteLines({ notes }: Story): readonly string[] {
  return notes.map((note) => `note: ${note}`);
}
