import { existsSync } from 'node:fs';
import type { EvidenceStore, ManifestIndex } from '../../../core/evidence/evidence-store.ts';
import type { IncidentKeys, KeyRegister } from '../../../core/evidence/incident-key.ts';
import type { SignatureVerifier } from '../../../core/messages/signing.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../../integrations/evidence/key-register.ts';
import { createManifestIndex } from '../../../integrations/evidence/manifest-index.ts';
import { openVerifier } from '../../../integrations/keys/ed25519.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { resolveStoreSecrets } from '../../config/secrets.ts';
import { openEvidenceStore, openShelf } from '../../process/evidence.ts';
import { lateEvidenceVerifier, openKeyWrap } from '../../process/keys/evidence-keys.ts';
import type { ConfiguredOptions } from '../options.ts';

export interface EvidenceOptions extends ConfiguredOptions {
  readonly run?: string;
  readonly publicKey?: readonly string[];
}

/** Who reads it, and why: each access is recorded. */
export interface EvidenceReadOptions extends EvidenceOptions {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
}

export interface EvidenceGetOptions extends EvidenceReadOptions {
  readonly out: string;
}

/** Where evidence is stored, and whose signatures are trusted. */
export interface EvidenceReader {
  readonly config: Config;
  readonly store: EvidenceStore;
  /** Absent if the key that wraps them is not available here: sealed artefacts then stay sealed. */
  readonly keys?: IncidentKeys;
  /** What is needed to get these keys, in words. */
  readonly opensWith: string;
  readonly register: KeyRegister;
  readonly index: ManifestIndex;
  readonly verifier: SignatureVerifier | (() => Promise<SignatureVerifier>);
}

/** The selected manifests, by their addresses, and where to read them. */
export interface Wanted {
  readonly reader: EvidenceReader;
  readonly addresses: readonly string[];
}

/** @throws FB_ERR_CONFIG_INVALID */
export async function openReader(options: Pick<EvidenceOptions, 'config' | 'publicKey'>): Promise<EvidenceReader> {
  const config = configToUse(options.config);
  const secrets = resolveStoreSecrets({ config, env: process.env });
  const canOpen = config.evidence.vault ? secrets.evidenceVault !== undefined : existsSync(config.evidence.wrapKeyFile);
  const wrap = canOpen ? await openKeyWrap({ config, secrets }) : undefined;
  const shelf = await openShelf({ config, secrets });
  const given = options.publicKey && (await openVerifier({ files: options.publicKey }));
  return {
    config,
    store: await openEvidenceStore({ config, secrets }),
    register: createKeyRegister({ shelf }),
    index: createManifestIndex({ shelf }),
    ...(wrap && { keys: createIncidentKeys({ wrap, shelf }) }),
    opensWith: config.evidence.vault ? 'the token of the evidence’s Vault' : config.evidence.wrapKeyFile,
    // Listing what is kept needs no key at all.
    verifier: given ?? lateEvidenceVerifier({ config, secrets }),
  };
}
