import type { Artefact, EvidenceManifest } from '../../../core/evidence/evidence.ts';
import { standingOf } from '../../../core/evidence/evidence-retention.ts';
import type { RegisteredKey } from '../../../core/evidence/incident-key.ts';
import { shortIncidentId } from '../../../core/incident/incident.ts';
import { readManifest } from '../../../integrations/evidence/manifest.ts';
import type { CommonOptions } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import type { EvidenceReader, Wanted } from './reader.ts';

interface Row extends Artefact {
  readonly manifest: string;
  readonly target: string;
}

/** `firebreak evidence list INCIDENT`: what was collected, and how long it can be read. */
export async function listManifests({ reader, addresses }: Wanted, options: CommonOptions): Promise<void> {
  const manifests: { readonly address: string; readonly manifest: EvidenceManifest }[] = [];
  for (const address of addresses) manifests.push({ address, manifest: await readManifest({ ...reader, sha256: address }) });
  const sealedBy = new Set(manifests.flatMap(({ manifest }) => manifest.artefacts.flatMap(({ sealed }) => sealed?.keyId ?? [])));
  const keys = new Map<string, RegisteredKey>();
  for (const id of sealedBy) {
    const key = await reader.register.find(id);
    if (key) keys.set(id, key);
  }
  if (options.json)
    return printJson(
      manifests.map(({ address, manifest }) => ({
        sha256: address,
        ...manifest,
        keys: [...new Set(manifest.artefacts.flatMap(({ sealed }) => sealed?.keyId ?? []))].map(
          (id) => keys.get(id) ?? { id, missing: true },
        ),
      })),
    );
  if (manifests.length === 0) return print('Nothing is kept.');
  const rows = manifests.flatMap(({ address, manifest }) =>
    manifest.artefacts.map((artefact): Row => ({ ...artefact, manifest: address, target: manifest.target.name })),
  );
  printTable(rows, [
    { title: 'MANIFEST', text: ({ manifest }) => manifest.slice(0, 12) },
    { title: 'COLLECTED', text: ({ collectedAt }) => collectedAt.replace('T', ' ').slice(0, 19) },
    { title: 'BYTES', text: ({ bytes }) => String(bytes) },
    { title: 'CLASS', text: ({ sealed }) => (sealed && keys.get(sealed.keyId)?.class) ?? '' },
    { title: 'TARGET', text: ({ target }) => target },
    { title: 'ARTEFACT', text: ({ name, partial }) => `${name}${partial === undefined ? '' : ` (partial: ${partial})`}` },
  ]);
  print();
  for (const id of sealedBy) {
    const key = keys.get(id);
    const said = key ? `${key.class}, ${standing(reader, key)}` : 'is missing: what it sealed cannot be read';
    print(printable(`key ${id}: ${said}`));
  }
  for (const { address, manifest } of manifests) print(printable(`manifest ${address}, signed by ${manifest.keyId}`));
}

/** `firebreak evidence list`: the incidents that evidence is kept for, and until when. Reads only the store. */
export async function listKeys(reader: EvidenceReader, options: CommonOptions): Promise<void> {
  const keys = await reader.register.list();
  if (options.json) return printJson(keys.map((key) => ({ ...key, standing: standing(reader, key) })));
  if (keys.length === 0) return print(printable(`Nothing is kept in ${placeOf(reader)}.`));
  printTable(keys, [
    { title: 'SINCE', text: ({ madeAt }) => madeAt.replace('T', ' ').slice(0, 19) },
    { title: 'CLASS', text: ({ class: kind }) => kind },
    { title: 'INCIDENT', text: ({ incident }) => shortIncidentId(incident, reader.config.cluster) },
    { title: 'RUN', text: ({ run }) => run },
    { title: 'KEPT', text: (key) => standing(reader, key) },
  ]);
}

/** A description of the place, so that a person who looks in the wrong one notices. */
function placeOf({ config: { evidence } }: EvidenceReader): string {
  const { store } = evidence;
  if (store.kind === 'folder') return `the folder ${store.folder}`;
  return `the bucket ${store.bucket}${store.prefix && `, under ${store.prefix}`}`;
}

function standing({ config }: EvidenceReader, key: RegisteredKey): string {
  return standingOf(key, config.evidence.retention);
}
