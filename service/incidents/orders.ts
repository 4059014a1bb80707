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

/** The own key of whoever sits at the command line. @throws FB_ERR_KEY_FILE: the configuration has nothing to do with it. */
export async function personalSigner(file: string): Promise<Signer> {
  try {
    return await openSigner({ file });
  } catch (error) {
    if (error instanceof FirebreakError) throw new FirebreakError('FB_ERR_KEY_FILE', error.detail);
    throw error;
  }
}

/** An order with the signature of the key in `file`. @throws FB_ERR_KEY_FILE when there is no such key. */
export async function signedOrder<Given extends Order>(order: Given, file: string): Promise<SignedOrder<Given>> {
  return signedWith(order, await personalSigner(file));
}

/** Of a kind that is known at run time only. */
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
 * Sends an order to the control workflow of the cluster, whoever signed it for its person, and waits for what it makes of it.
 * @throws FB_ERR_VOTE_REFUSED with the reason; FB_ERR_UNAVAILABLE when it is sent, and nobody has answered yet.
 */
export async function giveOrder<T>(
  session: Session,
  signed: SignedOrder<AnyOrder>,
  /** What the state has of it, once it has come to be. `ours`: what the timeline says of this very order. */
  found: (state: ControlState, ours: ControlState['timeline']) => T | undefined,
): Promise<T> {
  const { kind: ordered } = signed.order;
  const refusedAs = `${ordered.slice(0, ordered.indexOf('.'))}.refused`;
  const before = await controlState(session);
  await signalIncident(session, { id: controlIdOf(session.config.cluster) }, controlNames.orderSignal, signed);
  const answer = await answerOf(
    () => controlState(session),
    (now) => {
      const ours = newEntries(before, now).filter(({ of }) => of === signed.signature);
      const answered = found(now, ours);
      if (answered !== undefined) return answered;
      const refused = ours.find(({ kind }) => kind === refusedAs);
      if (refused) throw new FirebreakError('FB_ERR_VOTE_REFUSED', refused.text);
      return undefined;
    },
  );
  if (answer !== undefined) return answer;
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the order was sent but is not confirmed yet: check the list');
}

/** What is known under this id, of this sort. */
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

/** @throws as `giveOrder`; FB_ERR_UNKNOWN_ID for what is no id. */
export async function endDecision(session: Session, signed: SignedEnd): Promise<DecisionState> {
  const { order, signature } = signed;
  mustBeId(order.decision, calledBy[nounOf(order)]);
  return giveOrder(session, signed, (state) => {
    const found = decisionIn(state, nounOf(order), order.decision);
    // By this very order: one that was over before is refused.
    return found?.status.state === 'ended' && found.status.by.signature === signature ? found : undefined;
  });
}

export const calledBy: Readonly<Record<DecisionKind['noun'], string>> = {
  suppression: 'suppression',
  restraint: 'freeze, observe mode or break-glass session',
  promotion: 'promotion',
};

/** What has another form is the id of nothing: said before anything is sent. @throws FB_ERR_UNKNOWN_ID. */
export function mustBeId(id: string, what: string): void {
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${what} with the id ${id}: the list of them shows their ids`);
}

/** Whether the end of what is in force needs a sign-in, by this configuration. The cell goes by its own. */
export function endNeedsSignIn({ stepUp }: Pick<Config, 'stepUp'>, { proposal, status }: DecisionState): boolean {
  return stepUp !== undefined && status.state === 'active' && endNeedsStepUp(kindOf(proposal.order).plan, stepUp);
}

/** How many must agree, and how, for who has proposed it. */
export function whoMustAgree({ severity }: Pick<DecisionKind, 'severity'>): string {
  return `${severity === 'critical' ? 'Two other people' : 'Somebody else'} must agree`;
}

/** What who proposed it should know about what it is for: a name that is written wrong looks like any other. */
export async function noteOn(session: Session, order: Propose): Promise<string | undefined> {
  if (order.kind !== 'restraint.propose' || order.terms.scope.kind !== 'incident') return undefined;
  const state = await incidentState(session, { id: order.terms.scope.name }).catch(() => undefined);
  return state?.open ? undefined : 'No incident of this name is open now: it would hold for the next one.';
}

/** Waits until the cell's intake has taken it. Returns the id of the incident that has it now. @throws as `giveOrder` */
export function startIncident(session: Session, signed: SignedIncidentOrder): Promise<string> {
  return giveOrder(session, signed, (_, ours) => {
    const started = ours.find(({ kind }) => kind === 'incident.started');
    return started && / started (\S+) \(/.exec(started.text)?.[1];
  });
}

/** Waits until it is on the record of the control workflow. @throws as `giveOrder` */
export async function giveDeadlineOrder(session: Session, signed: SignedOrder<DeadlineOrder>): Promise<void> {
  const done = deadlineOrderDone[signed.order.kind];
  await giveOrder(session, signed, (_, ours) => ours.find(({ kind }) => kind === done));
}

/** What is told to who ordered it; `incident` without the cluster. */
export function startedText(incident: string, { wish, pod }: Pick<IncidentTerms, 'wish' | 'pod'>): string {
  const what = wish === 'quarantine' ? `the quarantine of ${pod.namespace}/${pod.name} is ordered` : 'the others are asked';
  return `Incident ${incident}: ${what}. You started it, so you decide nothing on it while somebody else can.`;
}
