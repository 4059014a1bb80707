import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlState } from '../../core/decide/control.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { controlIdOf, type Order, orderBytes, type SignedOrder } from '../../core/orders/suppression.ts';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import { newEntries } from '../commands/incidents/incidents.ts';
import { controlState, type Session, signalIncident } from './session.ts';

const answerWithinMs = 20_000;

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

export async function signedWith<Given extends Order>(order: Given, signer: Signer): Promise<SignedOrder<Given>> {
  return { order, keyId: signer.keyId, signature: await signer.sign(orderBytes(order)) };
}

/** What has another form is the id of nothing: said before anything is sent. @throws FB_ERR_UNKNOWN_ID. */
export function mustBeId(id: string, what: string): void {
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${what} with the id ${id}: the list of them shows their ids`);
}

/**
 * Sends an order to the control workflow of the cluster, and waits for what it makes of it.
 * @throws FB_ERR_VOTE_REFUSED with the reason; FB_ERR_UNAVAILABLE when it is sent, and nobody has answered yet.
 */
export async function giveOrder<T>(
  session: Session,
  sent: {
    readonly signal: string;
    readonly order: SignedOrder<Order>;
    /** The kind of record by which such an order is refused. */
    readonly refused: string;
    /** What the state has of it, once it has come to be. `ours`: what the timeline says of this very order. */
    readonly found: (state: ControlState, ours: ControlState['timeline']) => T | undefined;
  },
): Promise<T> {
  const { signature } = sent.order;
  const before = await controlState(session);
  await signalIncident(session, { id: controlIdOf(session.config.cluster) }, sent.signal, sent.order);
  const until = Date.now() + answerWithinMs;
  for (let waitMs = 100; Date.now() < until; waitMs = Math.min(waitMs * 2, 1_000)) {
    await sleep(waitMs);
    const now = await controlState(session);
    const ours = newEntries(before, now).filter(({ of }) => of === signature);
    const found = sent.found(now, ours);
    if (found !== undefined) return found;
    const refused = ours.find(({ kind }) => kind === sent.refused);
    if (refused) throw new FirebreakError('FB_ERR_VOTE_REFUSED', refused.text);
  }
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the order is sent, and not answered yet: look at what is listed');
}
