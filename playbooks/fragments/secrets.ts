import type { listReachableSecrets } from '../../core/actions/index.ts';
import type { PlaybookContext } from '../../core/playbook/playbook.ts';
import { askOnceContained, keepVolatile, type PodAnswer, type PodExtras, type PodQuestion, type removing } from './pod.ts';
import { fileTicketDuring } from './words.ts';

type Rotating = PlaybookContext<typeof removing & { readonly listReachableSecrets: typeof listReachableSecrets }, 'pod'>;

/** Describes what the pod could have read, and says so if that is not known. */
async function reachableText({ alert, steps, settle }: Pick<Rotating, 'alert' | 'steps' | 'settle'>): Promise<string> {
  const { reach } = await settle({ reach: steps.listReachableSecrets({ pod: alert.pod }) });
  if (!reach.ok) return `What it could read is not known: ${reach.reason}.`;
  const { secrets, wide } = reach.value.output;
  const named = [...secrets.map(({ secret }) => secret), ...wide];
  return named.length > 0 ? `It could read: ${named.slice(0, 30).join(', ')}.` : 'It could not read any Secret of the cluster.';
}

/**
 * Asks what to do with the pod if Firebreak has contained it, and otherwise whether it is expected; if not, quarantines the pod and, if people want it, revokes
 * what it may have read. A quarantine alone revokes no credential: stolen ones are used from elsewhere.
 */
export async function askToRotate(
  context: Rotating,
  { question, expected, ticket, todo }: PodQuestion,
  { keep = () => keepVolatile(context), next }: PodExtras = {},
): Promise<PodAnswer | 'rotate'> {
  const { alert, steps, ask, settle, verdict, containment } = context;
  const { pod } = alert;
  const kept = keep();
  const words = { question, ticket, todo };
  if (containment) return askOnceContained(context, words, { containment }, { kept, ...(next && { next }) });
  const reach = await reachableText(context);
  const plans = await settle({
    quarantine: steps.quarantinePod.plan({ pod }),
    rotate: steps.rotateSecret.plan({ suspect: pod }),
  });
  const choices = { expected, look: 'Leave it as it is, and look into it' };
  const shared = {
    question: `${question} ${reach}`,
    harmless: ['expected'],
    onSilence: 'Nothing is done. A ticket is filed.',
    untilContained: true,
  } as const;
  const quarantine = plans.quarantine.ok ? plans.quarantine.value : undefined;
  const rotate = plans.rotate.ok && plans.rotate.value.changes.length > 0 ? plans.rotate.value : undefined;
  const answer = !quarantine
    ? await ask({ ...shared, choices })
    : !rotate
      ? await ask({ ...shared, choices: { ...choices, quarantine: 'No' }, plan: { quarantine } })
      : await ask({
          ...shared,
          choices: { ...choices, quarantine: 'No', rotate: 'No' },
          plan: { quarantine, rotate: [quarantine, rotate] },
        });
  if (answer.choice === 'contained') {
    const { containment: done, because, unanswered } = answer;
    const contained = { containment: Promise.resolve(done), because, unanswered };
    return askOnceContained(context, words, contained, { kept, ...(next && { next }) });
  }
  if (answer.choice === 'expected') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    await kept;
    return 'expected';
  }
  if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
  if (answer.choice === 'quarantine') await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
  if (answer.choice === 'rotate') {
    await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
    await steps.rotateSecret({ suspect: pod }, answer.approval);
  }
  const done = {
    silence: 'Nobody answered: nothing was done.',
    look: 'Nothing was done. Somebody has to look into it.',
    quarantine: 'The pod was quarantined. Nothing was rotated: what it read stays valid.',
    rotate: 'The pod was quarantined, and what could be rotated was.',
  };
  await fileTicketDuring(context, { title: ticket, done: [done[answer.choice], reach], todo }, async () => next?.(answer.choice));
  await kept;
  return answer.choice;
}
