import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { ManifestIndex } from '../../core/evidence/evidence-store.ts';
import { incidentKeyPrefix } from '../../core/evidence/incident-key.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { isSha256 } from './drafted-file.ts';

/** `manifests/PREFIX/SHA-256` on the shelf, one per manifest. It proves nothing: the content of a manifest is signed, its presence here is not. */
export function createManifestIndex({ shelf }: { readonly shelf: EvidenceShelf }): ManifestIndex {
  const folderOf = (incident: string): string => `manifests/${incidentKeyPrefix(incident)}`;
  return {
    async add({ incident, manifestSha256 }) {
      await shelf.add(`${folderOf(incident)}/${manifestSha256}`, new TextEncoder().encode(canonicalJson({ incident })));
    },
    async of(incident) {
      const addresses: string[] = [];
      for await (const name of shelf.names(folderOf(incident))) if (isSha256(name)) addresses.push(name);
      return addresses;
    },
  };
}
