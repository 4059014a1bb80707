import {
  captureProcesses,
  deletePod,
  openTicket,
  quarantinePod,
  rotateSecret,
  snapshotPodState,
} from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { PlaybookContext } from '../../core/playbook/playbook.ts';
import { fileTicket, fileTicketDuring } from './words.ts';

/** The steps that nearly every answer to a pod's alert uses. */
export const answering = { snapshotPodState, captureProcesses, quarantinePod, openTicket };
/** The same, for playbooks that also let people remove the pod and rotate the secrets it knew. */
export const removing = { ...answering, rotateSecret, deletePod };

type Answering = PlaybookContext<typeof answering, 'pod'>;
type Removing = PlaybookContext<typeof removing, 'pod'>;
type Deciding = PlaybookContext<
  {
    readonly quarantinePod: typeof quarantinePod;
    readonly rotateSecret: typeof rotateSecret;
    readonly deletePod: typeof deletePod;
  },
  'pod'
>;
type Quarantine = Awaited<ReturnType<Answering['steps']['quarantinePod']>>;

/**
 * Keeps evidence, the most volatile first: processes and connections, then what the API server knows about the pod. Other evidence that a kind of alert needs
 * (memory, files, traffic) is kept by its playbook. A failure holds nothing up.
 */
export function keepVolatile({ alert, steps, settle }: Answering): Promise<unknown> {
  const { pod } = alert;
  return settle({ processes: steps.captureProcesses({ pod }), state: steps.snapshotPodState({ pod }) });
}

export interface PodQuestion {
  readonly question: string;
  /** Label of the button that calls it harmless. */
  readonly expected: string;
  /** Title of the ticket, followed by the pod. */
  readonly ticket: string;
  /** What the person working on it should check or do, and no step does. */
  readonly todo: string;
}

/** What people chose and was done. `expected` and `release` call it harmless. */
export type PodAnswer = 'expected' | 'release' | 'watch' | 'quarantine' | 'remove' | 'look' | 'silence';

/** What a playbook adds to the answer to a pod's alert. */
export interface PodExtras {
  /** Starts to keep evidence. Absent: what is volatile. */
  readonly keep?: () => Promise<unknown>;
  /** Runs once people have answered, unless they called it harmless, and does not wait for the ticket. */
  readonly next?: (answer: PodAnswer | 'rotate') => Promise<void>;
}

/** For whoever reads the ticket of a pod that is contained: the comments on it give the deadline. */
export const answerFirst =
  'Answer the question in Slack or the console: release the pod, or delete it and rotate its secrets. A comment below says until when.';

/** The containment that Firebreak began by itself, and the alert that it began it for, if that came after the one that the body runs for; or why else. */
interface ContainedFor {
  readonly containment: Promise<Quarantine>;
  readonly because?: Alert;
  /** Nobody answered whether to contain it. */
  readonly unanswered?: true | undefined;
}

/** Asks what to do with the pod if Firebreak has contained it, and otherwise whether to contain it, until Firebreak does. */
export async function containOrAsk(context: Removing, words: PodQuestion, extras: PodExtras = {}): Promise<PodAnswer> {
  const { containment } = context;
  const kept = (extras.keep ?? (() => keepVolatile(context)))();
  if (containment) return askOnceContained(context, words, { containment }, { ...extras, kept });
  return askToQuarantine(
    context,
    words,
    { ...extras, keep: () => kept },
    { onContained: (contained) => askOnceContained(context, words, contained, { ...extras, kept }) },
  );
}

/**
 * Asks whether it is expected, while evidence is kept, and quarantines the pod if people say it is not; files a ticket unless they called it harmless. People
 * are asked even if the pod cannot be quarantined, or no longer can.
 */
async function askToQuarantine(
  context: Answering,
  { question, expected, ticket, todo }: PodQuestion,
  { keep = () => keepVolatile(context), next }: PodExtras = {},
  { onContained }: { readonly onContained?: (contained: ContainedFor) => Promise<PodAnswer> } = {},
): Promise<PodAnswer> {
  const { alert, steps, ask, settle, verdict } = context;
  const { pod } = alert;
  const kept = keep();
  const untilContained = onContained !== undefined;
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
        untilContained,
      })
    : await ask({ question, choices: { expected, look }, harmless, onSilence, untilContained });
  if (answer.choice === 'contained') {
    const { containment, because, unanswered } = answer;
    return onContained ? onContained({ containment: Promise.resolve(containment), because, unanswered }) : 'quarantine';
  }
  if (answer.choice === 'expected') verdict('benign', `expected, said ${answer.by.join(' and ')}`);
  else {
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine') await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
    const done = {
      silence: `${'notAsked' in answer ? 'Nobody was asked' : 'Nobody answered'}: nothing was done to the pod.`,
      look: 'Nothing was done to the pod. Somebody has to look into it.',
      quarantine: 'The pod was quarantined.',
    };
    await fileTicketDuring(context, { title: ticket, done: [done[answer.choice]], todo }, async () => next?.(answer.choice));
  }
  await kept;
  return answer.choice;
}

/**
 * Asks whether to release the pod that Firebreak contains, or to delete it and rotate what it knew. If nobody answers, it stays quarantined. Evidence is kept
 * before anything is deleted.
 */
export async function askOnceContained(
  context: Removing,
  words: Omit<PodQuestion, 'expected'>,
  { containment, because, unanswered }: ContainedFor,
  { kept, next }: Pick<PodExtras, 'next'> & { readonly kept: Promise<unknown> },
): Promise<PodAnswer> {
  const { settle } = context;
  const { ticket, todo } = words;
  const why = unanswered
    ? ' Nobody answered this before, so the pod was contained.'
    : because
      ? ` It was contained at once because of “${because.rule}”: ${because.title}`
      : '';
  const quarantine = await containment;
  // The ticket system may be down for hours: people are asked anyway.
  const filed = settle({
    ticket: fileTicket(context, {
      title: ticket,
      done: ['The pod is quarantined.'],
      todo: `${answerFirst} ${todo}`,
    }),
  });
  const answer = await releaseOrRemove(context, `${words.question}${why}`, quarantine, kept);
  if (answer !== 'release' && answer !== 'watch') await next?.(answer);
  await settle({ filed, kept });
  return answer;
}

/** Asks the question after containment. Anything that cannot be planned is not offered; people are asked about the rest. */
export async function releaseOrRemove(
  context: Deciding,
  question: string,
  quarantine: Quarantine,
  kept: Promise<unknown>,
): Promise<PodAnswer> {
  const { alert, steps, ask, settle, verdict } = context;
  const { pod } = alert;
  const plans = await settle({
    rotate: steps.rotateSecret.plan({ suspect: pod }),
    remove: steps.deletePod.plan({ pod }),
  });
  const release = await steps.quarantinePod.undo.plan(quarantine);
  const watch = await steps.quarantinePod.undo.plan(quarantine, { observed: true });
  const onSilence = 'The pod stays quarantined.';
  const choices = { release: 'Yes', watch: 'Yes', remove: 'No' };
  const rotate = plans.rotate.ok ? plans.rotate.value : undefined;
  const remove = plans.remove.ok ? plans.remove.value : undefined;
  const answer =
    rotate && remove
      ? await ask({ question, choices, plan: { release, watch, remove: [rotate, remove] }, onSilence })
      : await ask({
          question,
          choices: { release: 'Yes', watch: 'Yes', keep: 'No, keep it quarantined' },
          plan: { release, watch },
          onSilence,
        });
  if (answer.choice === 'release') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    await steps.quarantinePod.undo(quarantine, answer.approval);
    return 'release';
  }
  if (answer.choice === 'watch') {
    await steps.quarantinePod.undo(quarantine, answer.approval);
    return 'watch';
  }
  if (answer.choice === 'silence') return 'silence';
  verdict('true_positive', `not expected, said ${answer.by.join(' and ')}`);
  if (answer.choice === 'keep') return 'quarantine';
  const { output } = await steps.rotateSecret({ suspect: pod }, answer.approval);
  await kept;
  await steps.deletePod({ pod }, answer.approval);
  await rotateWhatIsLeft(
    context,
    output.refused.map(({ secret }) => secret),
  );
  return 'remove';
}

/** A Secret that keeps its name would have given the pod the new value, so its rotation can only be planned once the pod is gone. */
async function rotateWhatIsLeft({ alert, steps, ask }: Deciding, secrets: readonly string[]): Promise<void> {
  const left = { suspect: alert.pod, secrets: [...secrets] };
  const plan = secrets.length > 0 ? await steps.rotateSecret.plan(left) : undefined;
  if (!plan || plan.changes.length === 0) return;
  const more = await ask({
    question: `${alert.pod.name} is deleted. Rotate those of its secrets that could not be rotated before?`,
    choices: { rotate: 'Yes', keep: 'No, keep the old values' },
    plan: { rotate: plan },
    onSilence: 'The values that the pod had stay valid.',
  });
  if (more.choice === 'rotate') await steps.rotateSecret(left, more.approval);
}
