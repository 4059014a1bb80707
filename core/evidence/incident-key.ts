import { canonicalJson, sha256Hex } from '../text/digest.ts';
import type { EvidenceClass } from './evidence.ts';

/** The key that seals one class of what is kept of one run of an incident. Whoever destroys it has deleted all of that, wherever copies lie. */
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

/** What a key says of itself without being opened. */
export interface KeyName extends KeyOwner {
  readonly id: string;
  /** ISO 8601, UTC: with the first of what it seals. */
  readonly madeAt: string;
}

/** Who destroyed a key, and why: what is left of it. */
export interface DestroyedKey extends KeyName {
  readonly destroyedAt: string;
  /** `person/ID`, or `engine` when its time was over. */
  readonly by: string;
  readonly reason: string;
}

/** Nothing of the incident is destroyed while this is there. */
export interface EvidenceHold {
  readonly incident: string;
  readonly since: string;
  readonly by: string;
  readonly reason: string;
  /** Who has ordered its end: somebody else has to, too. */
  readonly ending?: HoldEnding;
}

interface HoldEnding {
  readonly by: string;
  /** ISO 8601, UTC: when the order was signed. */
  readonly at: string;
}

/** A key as it stands, there or destroyed. */
export interface RegisteredKey extends KeyName {
  readonly destroyed?: Pick<DestroyedKey, 'destroyedAt' | 'by' | 'reason'>;
  readonly hold?: EvidenceHold;
  /** Until when the store itself lets nobody remove it, in words; absent: it does not say so. */
  readonly locked?: string;
}

export interface IncidentKeys {
  /** Made when there is none; of several processes that ask at once, all get the same. @throws FB_ERR_REFUSED when it was destroyed. */
  keyFor(owner: KeyOwner): Promise<IncidentKey>;
  /** @throws FB_ERR_NOT_FOUND when it was destroyed, FB_ERR_SEAL_BROKEN when it is wrapped by another key than ours. */
  open(id: string): Promise<IncidentKey>;
}

/** Wraps keys with a key of ours, which a key service may hold. `aad` must be the same at both ends. */
export interface KeyWrap {
  seal(bytes: Uint8Array, aad: string): Promise<Uint8Array>;
  /** @throws FB_ERR_SEAL_BROKEN */
  open(sealed: Uint8Array, aad: string): Promise<Uint8Array>;
}

/** What stands about keys beside the evidence: which there are, which are held, which were destroyed. Opens none. */
export interface KeyRegister {
  /** All of them, or those of one incident, without what the store itself says of each. */
  list(incident?: string): Promise<readonly RegisteredKey[]>;
  find(id: string): Promise<RegisteredKey | undefined>;
  /** Nothing that it sealed can be opened any more. @throws FB_ERR_REFUSED while the store itself keeps it. */
  destroy(key: KeyName, why: { readonly by: string; readonly reason: string }): Promise<void>;
  /** Of one that is held already the first hold stays. */
  hold(hold: EvidenceHold): Promise<void>;
  /** Notes who wants this hold ended, in place of who wanted it before. */
  askToEnd(hold: EvidenceHold, ending: HoldEnding): Promise<void>;
  endHold(incident: string): Promise<void>;
}

/** The name of a key: anybody who knows the incident can find, and destroy, the right one. 32 hex digits, the first half of them the incident's. */
export function incidentKeyId({ incident, run, class: kind }: KeyOwner): string {
  return `${incidentKeyPrefix(incident)}${sha256Hex(`${incident}\n${run}\n${kind}`).slice(0, 16)}`;
}

/** With what the names of all keys of an incident begin. */
export function incidentKeyPrefix(incident: string): string {
  return sha256Hex(incident).slice(0, 16);
}

/** The name alone, of what holds more. */
export function keyNameOf({ id, incident, run, class: kind, madeAt }: KeyName): KeyName {
  return { id, incident, run, class: kind, madeAt };
}

/** What a wrapped key is bound to: nobody can pass it off as another's, or as newer than it is. */
export function wrappedFor(name: KeyName): string {
  return `firebreak.incident-key.v1\n${canonicalJson(keyNameOf(name))}`;
}
