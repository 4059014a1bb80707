import { join } from 'node:path';
import { createFolderStore } from '../../../integrations/evidence/folder-store.ts';
import { createManifestVerifier, createManifestWriter } from '../../../integrations/evidence/manifest.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';

/** The embedded evidence store in a folder, with a key of its own. */
export async function folderEvidence(folder: string) {
  const store = await createFolderStore({ dir: join(folder, 'evidence') });
  const signer = await openSigner({ file: join(folder, 'evidence.pem'), create: true });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  return {
    store,
    writeManifest: createManifestWriter({ store, signer }),
    verifyManifest: createManifestVerifier({ store, verifier }),
  };
}
