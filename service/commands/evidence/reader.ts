import type { EvidenceStore, ManifestIndex } from '../../../core/evidence/evidence-store.ts';
import type { IncidentKeys, KeyRegister } from '../../../core/evidence/incident-key.ts';
import type { SignatureVerifier } from '../../../core/messages/signing.ts';
import type { Config } from '../../config/load.ts';
import type { ConfiguredOptions } from '../options.ts';

export interface EvidenceOptions extends ConfiguredOptions {
  readonly run?: string;
  readonly publicKey?: readonly string[];
}

export interface EvidenceGetOptions extends EvidenceOptions {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
  readonly out: string;
}

/** Where evidence is, and whose signatures are believed. */
export interface EvidenceReader {
  readonly config: Config;
  readonly store: EvidenceStore;
  /** Absent where the key that wraps them is not here: then what is sealed stays sealed. */
  readonly keys?: IncidentKeys;
  /** What it takes to have them, in words. */
  readonly opensWith: string;
  readonly register: KeyRegister;
  readonly index: ManifestIndex;
  readonly verifier: SignatureVerifier | (() => Promise<SignatureVerifier>);
}

/** The manifests that are meant, by their addresses, and where to read them. */
export interface Wanted {
  readonly reader: EvidenceReader;
  readonly addresses: readonly string[];
}
