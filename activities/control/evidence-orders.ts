import type { EvidenceActivities, EvidenceOrderAnswer, EvidenceOrderDone } from '../../core/decide/control.ts';
import { hasCode } from '../../core/errors.ts';
import { expiresAt, type RetentionRules, whyRetained } from '../../core/evidence/evidence-retention.ts';
import { type EvidenceHold, type KeyRegister, keyNameOf, type RegisteredKey } from '../../core/evidence/incident-key.ts';
import { signedEvidenceOrderSchema } from '../../core/orders/order.schema.ts';
import { type EvidenceOrder, isMeant, type SignedEvidenceOrder } from '../../core/orders/order.ts';
import { type Beliefs, type Checked, checkOrder } from '../../core/orders/order-check.ts';
import type { Person } from '../../core/people/roster.ts';

/** What is known of an incident's run, apart from its keys. */
export interface RunOfIncident {
  readonly open: boolean;
  /** Ids of people whom the run's alerts name as the actor. */
  actors(): Promise<readonly string[]>;
}

/** Undefined for a run that Temporal no longer knows: it ended long ago. @throws FB_ERR_UNAVAILABLE if Temporal cannot tell. */
export type RunLookup = (run: { readonly incident: string; readonly run: string }) => Promise<RunOfIncident | undefined>;

interface EvidenceOrderParts {
  readonly beliefs: () => Beliefs;
  readonly retention: RetentionRules;
  readonly keys: KeyRegister;
  readonly runOf: RunLookup;
}

/** How long one person's order to end a hold waits for a second person's. */
const endingStandsMs = 7 * 86_400_000;

interface Carried {
  readonly text: string;
  readonly asked?: true;
}

/** Maximum number of keys destroyed at once automatically: the rest follows with the next run. */
const mostAtOnce = 50;
/** How long after its signature an order may be carried out: it was checked when it arrived. */
const carriedOutWithinMs = 10 * 60_000;

/** What the control workflow asks of the cell about kept evidence. Each call verifies the order again: anyone who can reach Temporal can call any of them. */
export function createEvidenceActivities(parts: EvidenceOrderParts): EvidenceActivities {
  const { keys, retention, runOf } = parts;
  const nowOf = (): number => parts.beliefs().now;

  const proven = (signed: SignedEvidenceOrder, laterMs = 0): Checked<{ readonly person: Person }> => {
    const beliefs = parts.beliefs();
    const at = Date.parse(signed.order.at);
    // An order that is carried out shortly after it was signed is still checked as of its signature.
    const now = laterMs > 0 && beliefs.now > at && beliefs.now < at + laterMs ? at : beliefs.now;
    return checkOrder(signed, { ...beliefs, now });
  };

  /** Why a key must stay; undefined if nothing keeps it. `person`: who wants it destroyed. */
  const keeps = async (key: RegisteredKey, person?: string): Promise<string | undefined> => {
    // The store is only asked about a key that nothing else keeps.
    const kept = whyRetained(key, retention, nowOf()) ?? (await keys.find(key.id))?.locked;
    if (kept !== undefined) return kept;
    const run = await runOf(key);
    if (run?.open) return 'the incident is still open';
    const isActor = person !== undefined && run !== undefined && (await run.actors()).includes(person);
    return isActor ? 'an alert of this incident names you as the actor' : undefined;
  };

  const meant = async (order: EvidenceOrder): Promise<readonly RegisteredKey[]> =>
    (await keys.list(order.incident)).filter((key) => isMeant(order, key));

  /** Whether it was done by this very order, as far as can be told: for a destruction, by the same person for the same reason. */
  const wasDone = async (order: EvidenceOrder): Promise<boolean> => {
    if (order.kind === 'evidence.hold') return false;
    const found = await meant(order);
    if (order.kind === 'evidence.unhold') return !found.some(({ hold }) => hold);
    const gone = found.flatMap(({ destroyed }) => destroyed ?? 'there');
    const isOurs = (one: (typeof gone)[number]): boolean =>
      one !== 'there' && one.by === `person/${order.person}` && one.reason === order.reason;
    return gone.some(isOurs) && !gone.includes('there');
  };

  const actorsOf = async (key: RegisteredKey): Promise<readonly string[]> => (await (await runOf(key))?.actors()) ?? [];

  /** Ending a hold takes two people: otherwise one person alone could have evidence destroyed that somebody wants kept. */
  const endHold = async (order: EvidenceOrder, hold: EvidenceHold): Promise<Carried> => {
    const { incident, person, at } = order;
    const by = `person/${person}`;
    const { ending } = hold;
    const isOpen = ending !== undefined && nowOf() - Date.parse(ending.at) < endingStandsMs;
    if (!isOpen || ending.by === by) {
      if (!isOpen) await keys.askToEnd(hold, { by, at });
      return {
        text: `${incident} is held until somebody else of ${(parts.beliefs().stewards ?? []).join(' or ')} also orders its end`,
        asked: true,
      };
    }
    await keys.endHold(incident);
    return { text: notHeld(incident) };
  };

  /** All or nothing: an order that is refused has destroyed nothing. */
  const looked = async (
    signed: SignedEvidenceOrder,
  ): Promise<{ readonly keys: readonly RegisteredKey[] } | { readonly reason: string }> => {
    const found = await meant(signed.order);
    const { kind, incident, person } = signed.order;
    if (kind === 'evidence.unhold') {
      const held = found.find(({ hold }) => hold);
      if (!held) return { reason: `Nothing of ${incident} is held.` };
      const isActor = (await Promise.all(found.map((key) => actorsOf(key)))).some((actors) => actors.includes(person));
      return isActor
        ? { reason: `${held.incident} stays held: an alert of this incident names you as the actor.` }
        : { keys: [held] };
    }
    if (found.length === 0) return { reason: `Nothing that can be destroyed is kept of ${incident}.` };
    if (kind === 'evidence.hold') return { keys: [] };
    for (const key of found) {
      const why = key.destroyed ? undefined : await keeps(key, person);
      if (why !== undefined) return { reason: `Nothing was destroyed of ${incident}: ${why}.` };
    }
    const there = found.filter(({ destroyed }) => !destroyed);
    return there.length > 0 ? { keys: there } : { reason: `What was kept of ${incident} is already destroyed.` };
  };

  const carryOut = async ({ order }: SignedEvidenceOrder, found: readonly RegisteredKey[]): Promise<Carried> => {
    const { kind, incident, person, reason } = order;
    const by = `person/${person}`;
    if (kind === 'evidence.hold') {
      await keys.hold({ incident, since: new Date(nowOf()).toISOString(), by, reason });
      return { text: `nothing of ${incident} is destroyed until the hold is ended` };
    }
    const hold = found.find((key) => key.hold)?.hold;
    if (kind === 'evidence.unhold') return hold ? endHold(order, hold) : { text: notHeld(incident) };
    for (const key of found) await keys.destroy(key, { by, reason });
    const classes = found.map((key) => key.class).join(', ');
    return { text: `${count(found.length)} of ${incident} destroyed (${classes}): nobody can read what they sealed` };
  };

  return {
    async checkEvidenceOrder(signed): Promise<EvidenceOrderAnswer> {
      const parsed = signedEvidenceOrderSchema.safeParse(signed);
      if (!parsed.success) return { ok: false, reason: 'This order has an unknown format.' };
      const who = proven(parsed.data);
      if (!who.ok) return who;
      const found = await looked(parsed.data);
      if ('reason' in found) return { ok: false, reason: found.reason };
      return { ok: true, order: parsed.data, name: who.person.name, keys: found.keys.map(({ id }) => id) };
    },

    async carryOutEvidenceOrder(signed): Promise<EvidenceOrderDone> {
      const order = signedEvidenceOrderSchema.parse(signed);
      const who = proven(order, carriedOutWithinMs);
      if (!who.ok) return who;
      const found = await looked(order);
      if ('reason' in found) {
        // A retry after the previous attempt had done it without reporting so.
        if (!(await wasDone(order.order))) return { ok: false, reason: found.reason };
        const { kind, incident } = order.order;
        return { ok: true, text: kind === 'evidence.unhold' ? notHeld(incident) : `what was kept of ${incident} is destroyed` };
      }
      try {
        return { ok: true, ...(await carryOut(order, found.keys)) };
      } catch (error) {
        if (hasCode(error, 'FB_ERR_REFUSED')) return { ok: false, reason: `${error.detail}.` };
        throw error;
      }
    },

    async findExpiredEvidence({ except }) {
      const now = nowOf();
      const due: RegisteredKey[] = [];
      for (const key of await keys.list()) {
        const end = key.destroyed || except.includes(key.id) ? undefined : expiresAt(key, retention);
        if (!end || end.getTime() > now) continue;
        // If it is not known whether a run is open, nothing of it is destroyed; the others are not kept on its account.
        const why = await keeps(key).catch(() => 'not known');
        if (why === undefined) due.push(key);
        if (due.length === mostAtOnce) break;
      }
      return due.map(keyNameOf);
    },

    async destroyExpiredEvidence(id) {
      const key = await keys.find(id);
      if (!key || key.destroyed) return { ok: true, text: 'it is destroyed' };
      const end = expiresAt(key, retention);
      const why = !end || end.getTime() > nowOf() ? 'its retention time is not over' : await keeps(key);
      if (why !== undefined) return { ok: false, reason: why };
      try {
        await keys.destroy(key, { by: 'engine', reason: `kept for ${retention[key.class].atMostDays} days, as configured` });
        return { ok: true, text: 'its key is destroyed: nobody can read what it sealed' };
      } catch (error) {
        if (hasCode(error, 'FB_ERR_REFUSED')) return { ok: false, reason: error.detail };
        throw error;
      }
    },
  };
}

function notHeld(incident: string): string {
  return `what is kept of ${incident} is no longer held`;
}

function count(keys: number): string {
  return keys === 1 ? '1 key' : `${keys} keys`;
}
