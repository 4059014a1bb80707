import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson, sha256Hex } from './digest.ts';
import { names } from './labels.ts';

/**
 * What a pod was like before it was quarantined. It is written onto the pod in the same patch as the change, so that the undo
 * needs nothing else. Who may patch the pod may edit it: the MAC by the cell's key tells.
 */
export interface BeforeState {
  readonly version: 1;
  /** The incident's whole id. */
  readonly incident: string;
  /** The key of the step that made the change. */
  readonly step: string;
  readonly podUid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The controller that owned it, and the workload at the top of its owners: the owner reference goes when the labels go. */
  readonly owner?: NamedKind;
  readonly workload?: NamedKind;
}

export interface NamedKind {
  readonly kind: string;
  readonly name: string;
}

export type CellKey = Uint8Array;

const domain = 'firebreak.before-state.v1\n';

function macOf(state: BeforeState, key: CellKey): string {
  return bytesToHex(hmac(sha256, key, utf8ToBytes(domain + canonicalJson(state))));
}

/** The annotation's text: JSON with the MAC (HMAC-SHA256, hex). The key has at least 32 bytes. @throws RangeError when it is shorter. */
export function sealBeforeState(state: BeforeState, key: CellKey): string {
  if (key.length < 32) throw new RangeError('the cell key has at least 32 bytes');
  return canonicalJson({ ...state, mac: macOf(state, key) });
}

export type OpenedBeforeState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  /** The state as it stands there, and whether the cell wrote it. `unknown`: no key was given to tell. */
  | { readonly kind: 'read'; readonly state: BeforeState; readonly authentic: 'yes' | 'no' | 'unknown' };

/** Reads the annotation of the pod with this uid. A state of another pod, copied here, is not authentic. */
export function openBeforeState(options: {
  readonly text: string | undefined;
  readonly podUid: string;
  readonly key: CellKey | undefined;
}): OpenedBeforeState {
  const { text, podUid, key } = options;
  if (text === undefined) return { kind: 'absent' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'unreadable' };
  }
  if (typeof value !== 'object' || value === null || !('mac' in value)) return { kind: 'unreadable' };
  const { mac, ...state } = value;
  if (!isBeforeState(state)) return { kind: 'unreadable' };
  if (!key) return { kind: 'read', state, authentic: 'unknown' };
  const authentic = state.podUid === podUid && typeof mac === 'string' && sameText(mac, macOf(state, key));
  return { kind: 'read', state, authentic: authentic ? 'yes' : 'no' };
}

/** All labels of a quarantined pod: ours, and nobody else's. */
export function quarantineLabels(incident: string): Readonly<Record<string, string>> {
  return { [names.quarantineLabel]: 'active', [names.incidentLabel]: sha256Hex(incident).slice(0, 32) };
}

function isBeforeState(value: object): value is BeforeState {
  if (!('version' in value && 'incident' in value && 'step' in value && 'podUid' in value && 'labels' in value)) return false;
  const { version, incident, step, podUid, labels } = value;
  if (version !== 1 || typeof incident !== 'string' || typeof step !== 'string' || typeof podUid !== 'string') return false;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  if (!Object.values(labels).every((label) => typeof label === 'string')) return false;
  return (!('owner' in value) || isNamedKind(value.owner)) && (!('workload' in value) || isNamedKind(value.workload));
}

function isNamedKind(value: unknown): value is NamedKind {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    'name' in value &&
    typeof value.name === 'string'
  );
}

/** Compares in a time that does not tell where the difference is. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
