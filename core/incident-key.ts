import { sha256Hex } from './digest.ts';

/** The key that seals what is kept of one run of an incident. Whoever destroys it has deleted all of that, wherever copies lie. */
export interface IncidentKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface IncidentKeys {
  /** Made when there is none; of several processes that ask at once, all get the same. */
  keyFor(incident: { readonly incident: string; readonly run: string }): Promise<IncidentKey>;
  /** @throws FB_ERR_NOT_FOUND when it was destroyed, FB_ERR_SEAL_BROKEN when it is wrapped by another key than ours. */
  open(id: string): Promise<IncidentKey>;
}

/** The name of its key: anybody who knows the incident can find, and destroy, the right one. 32 hex digits. */
export function incidentKeyId({ incident, run }: { readonly incident: string; readonly run: string }): string {
  return sha256Hex(`${incident}\n${run}`).slice(0, 32);
}
