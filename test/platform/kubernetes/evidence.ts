import { join } from 'node:path';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createFolderStore } from '../../../integrations/evidence/folder-store.ts';
import { createIncidentKeys, folderKeyPlace } from '../../../integrations/evidence/incident-keys.ts';
import { createManifestVerifier, createManifestWriter } from '../../../integrations/evidence/manifest.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';

/** The embedded evidence store in a folder, with keys of its own. */
export async function folderEvidence(folder: string) {
  const dir = join(folder, 'evidence');
  const store = createFolderStore({ dir });
  const wrap = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(9) }] });
  const keys = createIncidentKeys({ wrap, place: folderKeyPlace({ dir }) });
  const signer = await openSigner({ file: join(folder, 'evidence.pem'), create: true });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  return {
    store,
    keys,
    writeManifest: createManifestWriter({ store, signer }),
    verifyManifest: createManifestVerifier({ store, verifier, keys }),
  };
}
