import { canonicalJson, sha256Hex } from '../text/digest.ts';
import type { EvidenceClass } from './evidence.ts';

/** The key that seals one class of evidence of one run of an incident. Destroying it deletes all of that evidence, wherever copies exist. */
export interface IncidentKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface KeyOwner {
  readonly incident: string;
  readonly run: string;
  readonly class: EvidenceClass;
}

/** What is known about a key without opening it. */
export interface KeyName extends KeyOwner {
  readonly id: string;
  /** ISO 8601, UTC: created with the first evidence that it seals. */
  readonly madeAt: string;
}

/** Who destroyed a key and why: all that remains of it. */
export interface DestroyedKey extends KeyName {
  readonly destroyedAt: string;
  /** `person/ID`, or `engine` when its retention ended. */
  readonly by: string;
  readonly reason: string;
}

/** While a hold exists, nothing of the incident is destroyed. */
export interface EvidenceHold {
  readonly incident: string;
  readonly since: string;
  readonly by: string;
  readonly reason: string;
  /** Who has ordered the end of the hold: a second person must order it, too. */
  readonly ending?: HoldEnding;
}

interface HoldEnding {
  readonly by: string;
  /** ISO 8601, UTC: when the order was signed. */
  readonly at: string;
}

/** A key's current state: existing or destroyed. */
export interface RegisteredKey extends KeyName {
  readonly destroyed?: Pick<DestroyedKey, 'destroyedAt' | 'by' | 'reason'>;
  readonly hold?: EvidenceHold;
  /** How long the store itself prevents anybody from removing it, in words; absent: the store does not say. */
  readonly locked?: string;
}

export interface IncidentKeys {
  /** Creates the key if there is none. If several processes ask at once, all get the same key. @throws FB_ERR_REFUSED when it was destroyed. */
  keyFor(owner: KeyOwner): Promise<IncidentKey>;
  /** @throws FB_ERR_NOT_FOUND when it was destroyed, FB_ERR_SEAL_BROKEN when it is wrapped with a key other than ours. */
  open(id: string): Promise<IncidentKey>;
}

/** Wraps keys with a key of ours, which a key service may hold. `aad` must be the same for `seal` and `open`. */
export interface KeyWrap {
  seal(bytes: Uint8Array, aad: string): Promise<Uint8Array>;
  /** @throws FB_ERR_SEAL_BROKEN */
  open(sealed: Uint8Array, aad: string): Promise<Uint8Array>;
}

/** The records about keys that are stored next to the evidence: which keys exist, are held, or were destroyed. Opens none. */
export interface KeyRegister {
  /** All keys, or those of one incident, without the store's own retention of each. */
  list(incident?: string): Promise<readonly RegisteredKey[]>;
  find(id: string): Promise<RegisteredKey | undefined>;
  /** Afterwards nothing that the key sealed can be opened. @throws FB_ERR_REFUSED while the store itself keeps it. */
  destroy(key: KeyName, why: { readonly by: string; readonly reason: string }): Promise<void>;
  /** If there is a hold already, the first one stays. */
  hold(hold: EvidenceHold): Promise<void>;
  /** Stores who wants this hold ended, replacing any earlier request. */
  askToEnd(hold: EvidenceHold, ending: HoldEnding): Promise<void>;
  endHold(incident: string): Promise<void>;
}

/**
 * The id of a key, derived so that anybody who knows the incident can find, and destroy, the right one. 32 hex digits, the first half of them the incident's.
 */
export function incidentKeyId({ incident, run, class: kind }: KeyOwner): string {
  return `${incidentKeyPrefix(incident)}${sha256Hex(`${incident}\n${run}\n${kind}`).slice(0, 16)}`;
}

/** The common prefix of the ids of all keys of an incident. */
export function incidentKeyPrefix(incident: string): string {
  return sha256Hex(incident).slice(0, 16);
}

/** Only the name fields, of an object that holds more. */
export function keyNameOf({ id, incident, run, class: kind, madeAt }: KeyName): KeyName {
  return { id, incident, run, class: kind, madeAt };
}

/** What a wrapped key is bound to: nobody can pass it off as another key, or as newer than it is. */
export function wrappedFor(name: KeyName): string {
  return `firebreak.incident-key.v1\n${canonicalJson(keyNameOf(name))}`;
}
