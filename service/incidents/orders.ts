import { type ControlState, controlNames } from '../../core/decide/control.ts';
import {
  type AnyOrder,
  type DecisionState,
  kindOf,
  nounOf,
  type Propose,
  type SignedProposal,
} from '../../core/decide/decision.ts';
import { endNeedsStepUp } from '../../core/decide/step-up.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { type DeadlineOrder, deadlineOrderDone } from '../../core/orders/deadline-order.ts';
import type { IncidentTerms, SignedIncidentOrder } from '../../core/orders/incident-order.ts';
import {
  controlIdOf,
  type DecisionKind,
  type Order,
  orderBytes,
  type SignedEnd,
  type SignedOrder,
} from '../../core/orders/order.ts';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import { newEntries } from './new-entries.ts';
import { answerOf, controlState, incidentState, type Session, signalIncident } from './session.ts';

/** Opens the personal key of the person at the command line. @throws FB_ERR_KEY_FILE: the configuration is not involved. */
export async function personalSigner(file: string): Promise<Signer> {
  try {
    return await openSigner({ file });
  } catch (error) {
    if (error instanceof FirebreakError) throw new FirebreakError('FB_ERR_KEY_FILE', error.detail);
    throw error;
  }
}

/** Signs an order with the key in `file`. @throws FB_ERR_KEY_FILE if there is no such key. */
export async function signedOrder<Given extends Order>(order: Given, file: string): Promise<SignedOrder<Given>> {
  return signedWith(order, await personalSigner(file));
}

/** For a kind that is known only at run time. */
export async function signedProposal(order: Propose, signer: Signer): Promise<SignedProposal> {
  switch (order.kind) {
    case 'suppression.propose':
      return signedWith(order, signer);
    case 'restraint.propose':
      return signedWith(order, signer);
    case 'promotion.propose':
      return signedWith(order, signer);
  }
}

export async function signedWith<Given extends Order>(order: Given, signer: Signer): Promise<SignedOrder<Given>> {
  return { order, keyId: signer.keyId, signature: await signer.sign(orderBytes(order)) };
}

/**
 * Sends an order to the control workflow of the cluster, whoever signed it for its person, and waits for the result.
 * @throws FB_ERR_VOTE_REFUSED with the reason; FB_ERR_UNAVAILABLE if it was sent but nobody has answered yet.
 */
export async function giveOrder<T>(
  session: Session,
  signed: SignedOrder<AnyOrder>,
  /** Finds the result of the order in the state, once it is there. `ours`: the timeline's entries about this order. `before`: the state it was given in. */
  found: (state: ControlState, ours: ControlState['timeline'], before: ControlState) => T | undefined,
): Promise<T> {
  const { kind: ordered } = signed.order;
  const refusedAs = `${ordered.slice(0, ordered.indexOf('.'))}.refused`;
  const before = await controlState(session);
  await signalIncident(session, { id: controlIdOf(session.config.cluster) }, controlNames.orderSignal, signed);
  const answer = await answerOf(
    () => controlState(session),
    (now) => {
      const ours = newEntries(before, now).filter(({ of }) => of === signed.signature);
      const answered = found(now, ours, before);
      if (answered !== undefined) return answered;
      const refused = ours.find(({ kind }) => kind === refusedAs);
      if (refused) throw new FirebreakError('FB_ERR_VOTE_REFUSED', refused.text);
      return undefined;
    },
  );
  if (answer !== undefined) return answer;
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the order was sent but is not confirmed yet: check the list');
}

/** The decision of this kind with this id. */
export function decisionIn({ decisions }: ControlState, noun: DecisionKind['noun'], id: string): DecisionState | undefined {
  return decisions.find(({ proposal: { order } }) => order.terms.id === id && nounOf(order) === noun);
}

/** Waits until people are asked. @throws as `giveOrder` */
export function proposeDecision(session: Session, signed: SignedProposal): Promise<DecisionState> {
  const { order } = signed;
  return giveOrder(session, signed, (state) => {
    const found = decisionIn(state, nounOf(order), order.terms.id);
    return found?.status.state === 'proposed' ? found : undefined;
  });
}

interface EndedDecision {
  readonly status: DecisionState['status'];
  /** What the person who has ended it is told. */
  readonly text: string;
}

/** @throws as `giveOrder`; FB_ERR_UNKNOWN_ID for an invalid id. */
export async function endDecision(session: Session, signed: SignedEnd): Promise<EndedDecision> {
  const { order, signature } = signed;
  mustBeId(order.decision, calledBy[nounOf(order)]);
  return giveOrder(session, signed, (state, _, before) => {
    const find = (one: ControlState) => decisionIn(one, nounOf(order), order.decision);
    const found = find(state);
    // Only if this order ended it: an order for one that is already over is refused.
    if (found?.status.state !== 'ended' || found.status.by.signature !== signature) return undefined;
    const wasProposed = find(before)?.status.state === 'proposed';
    return { status: found.status, text: endedText(kindOf(found.proposal.order), wasProposed) };
  });
}

function endedText({ title, over }: DecisionKind, wasProposed: boolean): string {
  return wasProposed
    ? `Withdrawn: the proposal (${title}). Nothing has changed.`
    : `Ended: ${over}. Cells learn of it within 5 s.`;
}

export const calledBy: Readonly<Record<DecisionKind['noun'], string>> = {
  suppression: 'suppression',
  restraint: 'freeze, observe mode or break-glass session',
  promotion: 'promotion',
};

/** Rejects a malformed id before anything is sent. @throws FB_ERR_UNKNOWN_ID. */
export function mustBeId(id: string, what: string): void {
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${what} with the id ${id}: list them to see their ids`);
}

/** Returns whether ending what is in force needs a sign-in, according to this configuration. The cell uses its own. */
export function endNeedsSignIn({ stepUp }: Pick<Config, 'stepUp'>, { proposal, status }: DecisionState): boolean {
  return stepUp !== undefined && status.state === 'active' && endNeedsStepUp(kindOf(proposal.order).plan, stepUp);
}

/** Tells the proposer how many people must agree. */
export function whoMustAgree({ severity }: Pick<DecisionKind, 'severity'>): string {
  return `${severity === 'critical' ? 'Two other people' : 'Somebody else'} must agree`;
}

/** A note to the proposer about the subject of the proposal: a misspelled name looks like any other. */
export async function noteOn(session: Session, order: Propose): Promise<string | undefined> {
  if (order.kind !== 'restraint.propose' || order.terms.scope.kind !== 'incident') return undefined;
  const state = await incidentState(session, { id: order.terms.scope.name }).catch(() => undefined);
  return state?.open ? undefined : 'No incident with this name is open now: it would apply to the next one.';
}

/** Waits until the cell's intake has accepted it. Returns the id of the incident that now has it. @throws as `giveOrder` */
export function startIncident(session: Session, signed: SignedIncidentOrder): Promise<string> {
  return giveOrder(session, signed, (_, ours) => {
    const started = ours.find(({ kind }) => kind === 'incident.started');
    return started && / started (\S+) \(/.exec(started.text)?.[1];
  });
}

/** Waits until it is on record in the control workflow. @throws as `giveOrder` */
export async function giveDeadlineOrder(session: Session, signed: SignedOrder<DeadlineOrder>): Promise<void> {
  const done = deadlineOrderDone[signed.order.kind];
  await giveOrder(session, signed, (_, ours) => ours.find(({ kind }) => kind === done));
}

/** The reply to the person who ordered it; `incident` without the cluster. */
export function startedText(incident: string, { wish, pod }: Pick<IncidentTerms, 'wish' | 'pod'>): string {
  const what = wish === 'quarantine' ? `the quarantine of ${pod.namespace}/${pod.name} is ordered` : 'the others are asked';
  return `Incident ${incident}: ${what}. You started it, so you decide nothing on it while somebody else can.`;
}
