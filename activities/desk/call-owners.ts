import { Context } from '@temporalio/activity';
import type { CellActivities, DeskActivities, FollowUpActivities } from '../../core/action/step.ts';
import { FirebreakError } from '../../core/errors.ts';
import { controlIdOf } from '../../core/orders/order.ts';
import type { TicketMailbox } from '../../core/tickets/ticket-news.ts';
import { asFailure } from '../failures.ts';

type Work = (...args: never[]) => Promise<unknown>;
type Named = (...args: never[]) => readonly string[] | Promise<readonly string[]>;

/** For each activity: the ids of the incidents, or of the decisions above them, that a call of it speaks for. */
type SpeaksFor<Activities extends { readonly [Name in keyof Activities]: Work }> = {
  readonly [Name in keyof Activities]: (...args: Parameters<Activities[Name]>) => readonly string[] | Promise<readonly string[]>;
};

export const deskCallOwners: SpeaksFor<DeskActivities> = {
  postQuestion: ({ question }) => [question.incident.id],
  updateQuestion: ({ question }) => [question.incident.id],
  postInThread: ({ incident }) => [incident.id],
  // `storm/CLUSTER/…`: what belongs to no incident is reported only by the cluster's control workflow.
  showNotice: ({ key }) => {
    const [kind, cluster] = key.split('/');
    return kind === 'storm' && cluster ? [controlIdOf(cluster)] : [];
  },
  answerClick: ({ incident }) => [incident.id],
  recordAudit: (records) => records.map(({ chain }) => chain.slice(0, Math.max(0, chain.lastIndexOf('@')))),
};

/** @param ownerOf who owns the ticket, as the desk has remembered it since it was opened. */
export function followUpCallOwners({ ownerOf }: Pick<TicketMailbox, 'ownerOf'>): SpeaksFor<FollowUpActivities> {
  return {
    updateTicket: async ({ incident, ticket }) => {
      const owner = await ownerOf({ system: ticket.system, id: ticket.id });
      return owner ? [incident.id, owner.id] : [];
    },
    callPeople: ({ incident }) => [incident.id],
    endPage: ({ incident }) => [incident.id],
    ticketNews: ({ incident }) => [incident.id],
  };
}

/** The desk has one action, which files tickets. */
export const stepsSpeakFor: SpeaksFor<CellActivities> = {
  planStep: ({ incident }) => [incident.id],
  applyStep: ({ incident }) => [incident.id],
  applyStepNow: ({ incident }) => [incident.id],
  verifyStep: ({ call }) => [call.incident.id],
  undoStep: ({ call }) => [call.incident.id],
  verifyVote: ({ question }) => [question.incident.id],
  verifyRemark: ({ question }) => [question.incident.id],
  answerersTo: ({ question }) => [question.incident.id],
};

/**
 * The same activities, each only for the workflow that calls it: an incident asks, tells, pages and files for itself, and for no other. The message's signature
 * proves that this workflow is calling; this checks what it calls for.
 */
export function ownedByCaller<Activities extends { readonly [Name in keyof Activities]: Work }>(
  activities: Activities,
  speaksFor: SpeaksFor<Activities>,
): Activities {
  const bound = Object.entries<Work>(activities).map(([name, work]) => [
    name,
    async (...args: never[]) => {
      // Looked up by its own name, so it takes its own parameters.
      const named: Named = speaksFor[name as keyof Activities] as Named;
      await refuseOthers(() => named(...args));
      return work(...args);
    },
  ]);
  // The names, parameters and results are the same.
  return Object.fromEntries(bound) as Activities;
}

async function refuseOthers(named: () => readonly string[] | Promise<readonly string[]>): Promise<void> {
  const caller = Context.current().info.workflowExecution?.workflowId;
  const ids = await Promise.resolve()
    .then(named)
    // A call that does not name its owner properly speaks for nobody.
    .catch((error: unknown) => {
      if (error instanceof FirebreakError) throw asFailure(error);
      return [];
    });
  if (caller === undefined || ids.length === 0 || ids.some((id) => id !== caller))
    throw asFailure(new FirebreakError('FB_ERR_REFUSED', 'an incident may act only for itself, and must name itself'));
}
