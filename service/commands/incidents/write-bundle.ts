import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { Bundle, BundleArtefact } from '../../../core/bundle/bundle.ts';
import { type IntactBundle, verifyBundle } from '../../../core/bundle/verify-bundle.ts';
import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import type { EvidenceManifest } from '../../../core/evidence/evidence.ts';
import { fullIncidentId, shortIncidentId } from '../../../core/incident/incident.ts';
import { personById } from '../../../core/people/roster.ts';
import { systemErrorCode, writeProblem } from '../../../core/system-error.ts';
import { counted } from '../../../core/text/counted.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { readManifest } from '../../../integrations/evidence/manifest.ts';
import { createVerifier, openVerifier } from '../../../integrations/keys/ed25519.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { unknownName } from '../../config/nearest.ts';
import { resolveStoreSecrets } from '../../config/secrets.ts';
import { giveOrder, personalSigner, signedWith } from '../../incidents/orders.ts';
import { evidencePublicKeys } from '../../process/keys/evidence-keys.ts';
import { notaryKeyFiles } from '../../process/keys/key-files.ts';
import { firebreakVersion } from '../../process/project-root.ts';
import { openAuditTrust, recordKeys } from '../../records/audit-trust.ts';
import { bundleContent, exportOrder } from '../../records/bundle-content.ts';
import { bundlePage } from '../../records/bundle-page.ts';
import { provenRunOf } from '../../records/incident-run.ts';
import { opened } from '../evidence/evidence-get.ts';
import { openReader } from '../evidence/reader.ts';
import type { ConfiguredOptions } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { existingAuditUrl } from '../records/audit.ts';
import type { RetiredKeysOption } from '../records/retired-key.ts';
import { withSession } from '../session.ts';

export interface ExportOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
  readonly out: string;
  readonly run?: string;
  /** Names or hashes of artefacts; `true`: all. */
  readonly artefacts?: true | readonly string[];
}

/** A bundle is one file that is read into memory: `evidence get` hands out anything larger. */
const mostArtefactBytes = 64 * 1024 * 1024;

/**
 * `firebreak incidents export`: makes and checks the bundle, puts the export on record, and only then writes it. The file is created first, so that an export
 * that cannot be written is not put on record.
 */
export async function exportIncident(written: string, options: ExportOptions): Promise<void> {
  const file = await newFile(options.out);
  try {
    await exportTo(file, written, options);
  } catch (error) {
    await unlink(options.out).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

async function exportTo(file: FileHandle, written: string, options: ExportOptions): Promise<void> {
  const config = configToUse(options.config);
  const secrets = resolveStoreSecrets({ config, env: process.env });
  const signer = await personalSigner(options.key);
  mustBeTheirKey(options, config, signer.keyId);
  const reader = await openReader(options);
  const database = await openDatabase({ url: existingAuditUrl(config) });
  try {
    const store = createAuditStore(database);
    const { trust } = await openAuditTrust(config, options.retiredKey ?? []);
    const { chain } = await provenRunOf({ store, trust }, fullIncidentId(written, config.cluster), options.run);
    const content = await bundleContent(chain, {
      store,
      verifier: await openVerifier({ files: notaryKeyFiles(config.audit) }),
      keys: await recordKeys(config, options.retiredKey ?? [], await evidencePublicKeys({ config, secrets })),
      exporterKeyId: signer.keyId,
      // What the store lacks or cannot return is missing in the bundle, and the bundle says so. A damaged one is reported.
      manifestAt: (sha256) => readManifest({ ...reader, sha256 }).catch(undefinedIf('FB_ERR_NOT_FOUND', 'FB_ERR_UNAVAILABLE')),
      artefactsOf: (manifests) => artefactsOf(manifests, options.artefacts, reader),
      names: Object.fromEntries(config.roster.people.map(({ id, name }) => [id, name])),
      madeBy: `firebreak ${firebreakVersion()}`,
    });
    const order = exportOrder(content, {
      ...{ person: options.as, reason: options.reason, cluster: config.cluster, at: new Date().toISOString() },
    });
    const signed = await signedWith(order, signer);
    const bundle: Bundle = { format: 'firebreak.bundle.v1', content, export: signed };
    // Before anything is put on record: a bundle that would be rejected elsewhere is not handed out.
    const verdict = await verifyBundle(Buffer.from(canonicalJson(bundle)));
    if (!verdict.ok) throw new FirebreakError('FB_ERR_AUDIT_DAMAGED', verdict.text);
    await withSession(options, (session) =>
      giveOrder(session, signed, (_, ours) => ours.find(({ kind }) => kind === 'incident.exported')),
    );
    await write(file, options.out, options.out.endsWith('.html') ? await bundlePage(bundle) : canonicalJson(bundle));
    if (options.json) return printJson({ file: options.out, ...verdict });
    for (const line of linesOf(verdict, shortIncidentId(order.incident, config.cluster), options)) print(printable(line));
  } finally {
    await database.close();
  }
}

function linesOf(verdict: IntactBundle, incident: string, { out, as }: ExportOptions): readonly string[] {
  const { records, covered, lastCheckpoint, closed, missingManifests } = verdict;
  return [
    `Wrote ${counted(records, 'record')} of ${incident} to ${out}. It is on record that ${as} exported it.`,
    ...(covered < records ? [`The notary has not signed the last ${records - covered} yet: export it again in a minute.`] : []),
    ...(closed ? [] : ['The incident is still open.']),
    ...(missingManifests.length > 0
      ? [`Not included, because they could not be read: ${counted(missingManifests.length, 'evidence manifest')}.`]
      : []),
    `Newest checkpoint: ${lastCheckpoint.number}:${lastCheckpoint.digest} of ${lastCheckpoint.at}.`,
    'Pass on the fingerprints of the keys separately from the file: firebreak bundle keys prints them.',
  ];
}

/** Otherwise the finished bundle as a whole would be reported as having no valid signature. */
function mustBeTheirKey({ as: person, key: file }: ExportOptions, { roster }: Config, keyId: string): void {
  const known = roster.people.map(({ id }) => id);
  const found = personById(roster, person);
  if (!found) throw unknownName({ what: 'person on the roster', written: person, known });
  if (!createVerifier({ publicKeys: found.keys }).keyIds.includes(keyId))
    throw new FirebreakError('FB_ERR_KEY_FILE', `the key in ${file} is not one that the roster has for ${person}`);
}

/** @throws FB_ERR_INCOMPLETE */
async function newFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const why = systemErrorCode(error) === 'EEXIST' ? 'already exists' : `cannot be written: ${writeProblem(error)}`;
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${path} ${why}`);
  }
}

async function write(file: FileHandle, path: string, text: string): Promise<void> {
  try {
    await file.writeFile(text);
  } catch (error) {
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${path} cannot be written: ${writeProblem(error)}`);
  }
}

async function artefactsOf(
  manifests: readonly EvidenceManifest[],
  wanted: ExportOptions['artefacts'],
  reader: Parameters<typeof opened>[0],
): Promise<readonly BundleArtefact[]> {
  if (wanted === undefined) return [];
  const all = manifests.flatMap(({ artefacts }) => artefacts);
  const chosen = wanted === true ? all : all.filter(({ name, sha256 }) => wanted.includes(name) || wanted.includes(sha256));
  const absent = wanted === true ? [] : wanted.filter((one) => !all.some(({ name, sha256 }) => name === one || sha256 === one));
  if (absent.length > 0) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no artefact ${absent.join(', ')}`);
  const bytes = chosen.reduce((sum, one) => sum + one.bytes, 0);
  if (bytes > mostArtefactBytes)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `${bytes} bytes of artefacts are more than a bundle can hold (64 MiB): use evidence get`,
    );
  const read = new Map<string, BundleArtefact>();
  for (const artefact of chosen) {
    const parts: Uint8Array[] = [];
    for await (const part of opened(reader, artefact)) parts.push(part);
    read.set(artefact.sha256, { sha256: artefact.sha256, data: Buffer.concat(parts).toString('base64') });
  }
  return [...read.values()];
}
