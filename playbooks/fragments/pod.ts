import {
  captureProcesses,
  deletePod,
  openTicket,
  quarantinePod,
  rotateSecret,
  snapshotPodState,
} from '../../core/actions/index.ts';
import type { PlaybookContext, Settled } from '../../core/playbook/playbook.ts';
import { fileTicket } from './words.ts';

/** What nearly every answer to a pod's alert works with. */
export const answering = { snapshotPodState, captureProcesses, quarantinePod, openTicket };
/** The same, where people may also have the pod removed and what it knew made worthless. */
export const removing = { ...answering, rotateSecret, deletePod };

type Answering = PlaybookContext<typeof answering, 'pod'>;
type Removing = PlaybookContext<typeof removing, 'pod'>;
type Quarantine = Awaited<ReturnType<Answering['steps']['quarantinePod']>>;

/**
 * Keeps what is gone first, first: what runs and what it is connected to, then what the API server knows of the pod. What a kind of alert needs besides
 * (memory, files, traffic) the playbook begins before it calls this. Nothing that fails holds anything up.
 */
export function keepVolatile({ alert, steps, settle }: Answering): Promise<Readonly<Record<string, Settled<unknown>>>> {
  const { pod } = alert;
  return settle({ processes: steps.captureProcesses({ pod }), state: steps.snapshotPodState({ pod }) });
}

export interface PodQuestion {
  readonly question: string;
  /** What the button says that calls it harmless. */
  readonly expected: string;
  /** Title of the ticket, after which pod it is follows. */
  readonly ticket: string;
  /** What whoever works on it should look at or do, which no step does. */
  readonly todo: string;
}

/** What people chose, and was done. */
export type PodAnswer = 'expected' | 'quarantine' | 'look' | 'silence';

/**
 * Asks whether it is expected, and quarantines the pod if people say it is not; files a ticket unless they called it harmless. A pod that cannot be
 * quarantined, or no longer, is asked about all the same.
 */
export async function askToQuarantine(context: Answering, { question, expected, ticket, todo }: PodQuestion): Promise<PodAnswer> {
  const { alert, steps, ask, settle, verdict } = context;
  const { pod } = alert;
  const { planned } = await settle({ planned: steps.quarantinePod.plan({ pod }) });
  const harmless = ['expected'] as const;
  const onSilence = 'Nothing is done to the pod. A ticket is filed.';
  const look = 'Leave it as it is, and look into it';
  const answer = planned.ok
    ? await ask({
        question,
        choices: { expected, look, quarantine: 'No' },
        plan: { quarantine: planned.value },
        harmless,
        onSilence,
      })
    : await ask({ question, choices: { expected, look }, harmless, onSilence });
  if (answer.choice === 'expected') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    return 'expected';
  }
  if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
  if (answer.choice === 'quarantine') await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
  const done = {
    silence: 'Nobody answered: nothing was done to the pod.',
    look: 'It is to be looked into: nothing was done to the pod.',
    quarantine: 'The pod was quarantined.',
  };
  await fileTicket(context, { title: ticket, lines: [done[answer.choice], todo] });
  return answer.choice;
}

/**
 * Quarantines the pod at once, which takes nobody's word and can be given back; keeps evidence beside it; then asks whether the pod is released, or deleted
 * and what it knew rotated. For critical alerts. Silence leaves it quarantined.
 */
export async function containAtOnce(
  context: Removing,
  { question, ticket, todo }: Omit<PodQuestion, 'expected'>,
  kept: Promise<unknown> = keepVolatile(context),
): Promise<PodAnswer | 'release' | 'remove'> {
  const { alert, steps, settle } = context;
  const quarantine = await steps.quarantinePod({ pod: alert.pod, lease: '4h' });
  // The ticket system may be down for hours: people are asked all the same.
  const filed = settle({
    ticket: fileTicket(context, {
      title: ticket,
      lines: ['The pod is quarantined. People are asked whether it is released, or deleted and its secrets rotated.', todo],
    }),
  });
  await kept;
  const choice = await releaseOrRemove(context, question, quarantine);
  await filed;
  return choice;
}

/** The question after containment. */
export async function releaseOrRemove(
  context: Removing,
  question: string,
  quarantine: Quarantine,
): Promise<'release' | 'remove' | 'silence'> {
  const { alert, steps, ask, verdict } = context;
  const { pod } = alert;
  const answer = await ask({
    question,
    choices: { release: 'Yes', remove: 'No' },
    plan: {
      release: await steps.quarantinePod.undo.plan(quarantine),
      remove: [await steps.rotateSecret.plan({ suspect: pod }), await steps.deletePod.plan({ pod })],
    },
    onSilence: 'The pod stays quarantined.',
  });
  if (answer.choice === 'release') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    await steps.quarantinePod.undo(quarantine, answer.approval);
  } else if (answer.choice === 'remove') {
    verdict('true_positive', `not expected, said ${answer.by.join(' and ')}`);
    const { output } = await steps.rotateSecret({ suspect: pod }, answer.approval);
    await steps.deletePod({ pod }, answer.approval);
    await rotateWhatIsLeft(
      context,
      output.refused.map(({ secret }) => secret),
    );
  }
  return answer.choice;
}

/** A Secret that keeps its name would have given the pod the new value: what that rotation does can only be planned when the pod is gone. */
async function rotateWhatIsLeft({ alert, steps, ask }: Removing, secrets: readonly string[]): Promise<void> {
  const left = { suspect: alert.pod, secrets: [...secrets] };
  const plan = secrets.length > 0 ? await steps.rotateSecret.plan(left) : undefined;
  if (!plan || plan.changes.length === 0) return;
  const more = await ask({
    question: `${alert.pod.name} is deleted. Rotate what it had and could not be rotated before?`,
    choices: { rotate: 'Yes', keep: 'No, leave the old values' },
    plan: { rotate: plan },
    onSilence: 'The values that the pod had stay valid.',
  });
  if (more.choice === 'rotate') await steps.rotateSecret(left, more.approval);
}
