import { join } from 'node:path';
import { type Artefact, storedAs } from '../../../../core/evidence/evidence.ts';
import { createBox } from '../../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../../../integrations/evidence/folder-store.ts';
import { createIncidentKeys } from '../../../../integrations/evidence/incident-keys.ts';
import {
  createManifestVerifier,
  createManifestWriter,
  readArtefact,
  readManifest,
} from '../../../../integrations/evidence/manifest.ts';
import { createVerifier, openSigner } from '../../../../integrations/keys/ed25519.ts';

/** The embedded evidence store in a folder, with its own keys. */
export async function folderEvidence(folder: string) {
  const dir = join(folder, 'evidence');
  const store = createFolderStore({ dir });
  const wrap = testWrap();
  const keys = createIncidentKeys({ wrap, shelf: createFolderShelf({ dir }) });
  const signer = await openSigner({ file: join(folder, 'evidence.pem'), create: true });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  const artefactOf = async (kept: { readonly manifestSha256: string }, name: string): Promise<Artefact> => {
    const { artefacts } = await readManifest({ store, verifier, sha256: kept.manifestSha256 });
    const artefact = artefacts.find((one) => one.name === name);
    if (!artefact) throw new Error(`there is no artefact ${name}`);
    return artefact;
  };
  return {
    store,
    keys,
    writeManifest: createManifestWriter({ store, signer }),
    verifyManifest: createManifestVerifier({ store, verifier, keys }),
    /** Opens what was stored, and checks its hash on the way. */
    bytesOf: async (kept: { readonly manifestSha256: string }, name: string): Promise<Buffer> => {
      const parts: Uint8Array[] = [];
      for await (const part of readArtefact({ store, keys }, await artefactOf(kept, name))) parts.push(Buffer.from(part));
      return Buffer.concat(parts);
    },
    /** The name of its object in the store. */
    objectOf: async (kept: { readonly manifestSha256: string }, name: string): Promise<string> =>
      storedAs(await artefactOf(kept, name)).sha256,
  };
}

export function testWrap() {
  return boxWrap(createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(9) }] }));
}
