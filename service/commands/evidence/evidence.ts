import type { Command } from 'commander';
import { type ErrorCode, FirebreakError, hasCode } from '../../../core/errors.ts';
import { fullIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import { compareTexts } from '../../../core/text/plain-json.ts';
import { createManifestVerifier, readManifest } from '../../../integrations/evidence/manifest.ts';
import { configToUse } from '../../config/left-out.ts';
import { resolveStoreSecrets } from '../../config/secrets.ts';
import { evidencePublicKeys } from '../../process/keys/evidence-keys.ts';
import { incidentNamed, suggestion } from '../incidents/incident-name.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { reasonOption } from '../reason.ts';
import { withSession } from '../session.ts';
import { getEvidence, showEvidence } from './evidence-get.ts';
import { listKeys, listManifests } from './evidence-list.ts';
import { registerEvidenceOrders } from './evidence-orders.ts';
import {
  type EvidenceGetOptions,
  type EvidenceOptions,
  type EvidenceReader,
  type EvidenceReadOptions,
  openReader,
  type Wanted,
} from './reader.ts';

const isAddress = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Adds `firebreak evidence list|show|get|verify|public-key|destroy|hold|unhold`. */
export function registerEvidenceCommand(program: Command): void {
  const evidence = program.command('evidence').description('list, verify and read the evidence');
  const about = (name: string, description: string, incident = '<incident>'): Command =>
    withConfig(
      evidence
        .command(name)
        .description(description)
        .argument(incident, 'id of the incident, or the SHA-256 of a manifest')
        .option('--run <run>', 'an earlier run of this incident')
        .option(
          '--public-key <files...>',
          'trusted public keys (PEM; default: the .pub next to evidence.keyFile, or those in Vault)',
        ),
    );

  withExamples(about('list', 'list what is kept, and until when; without an incident, for all of them', '[incident]'), [
    'firebreak evidence list',
    'firebreak evidence list shop/Deployment/cart',
  ]).action(async (written: string | undefined, options: EvidenceOptions) =>
    written === undefined
      ? listKeys(await openReader(options), options)
      : listManifests(await manifestsOf(written, options), options),
  );

  withExamples(
    withPerson(about('show', 'print one artefact; the access is recorded with your name'), 'who reads it')
      .argument('<artefact>', 'its name, as `firebreak evidence list INCIDENT` shows it, or its SHA-256')
      .addOption(reasonOption('why, for the record').makeOptionMandatory()),
    [
      'firebreak evidence show shop/Deployment/cart pod.yaml --as ada --key ~/.firebreak/ada.pem --reason "case 17"',
      'firebreak evidence show shop/Deployment/cart logs/app.log --as ada --key ~/.firebreak/ada.pem --reason "case 17" | less',
    ],
  ).action(async (written: string, artefact: string, options: EvidenceReadOptions) =>
    showEvidence(await manifestsOf(written, options), artefact, options),
  );

  withExamples(
    withPerson(
      about('get', 'write evidence to a new folder, with everything needed to check it; the access is recorded with your name'),
      'who reads it',
    )
      .argument('[artefact]', 'only this artefact')
      .addOption(reasonOption('why, for the record').makeOptionMandatory())
      .requiredOption('--out <folder>', 'the folder to create; it must not exist'),
    [
      'firebreak evidence get shop/Deployment/cart --as ada --key ~/.firebreak/ada.pem --reason "case 17" --out case-17',
      'firebreak evidence get shop/Deployment/cart logs/app.log --as ada --key ~/.firebreak/ada.pem --reason "case 17" --out case-17',
    ],
  ).action(async (written: string, artefact: string | undefined, options: EvidenceGetOptions) =>
    getEvidence(await manifestsOf(written, options), artefact, options),
  );

  withExamples(
    about('verify', 'read it all back, and check signature, custody list and hashes; exit code 1 if anything is wrong'),
    ['firebreak evidence verify shop/Deployment/cart', 'firebreak evidence verify 0f5c… --public-key /mnt/safe/evidence.pem.pub'],
  ).action(async (written: string, options: EvidenceOptions) => verify(await manifestsOf(written, options), options));

  withExamples(
    withConfig(
      evidence
        .command('public-key')
        .description('print the public key for evidence manifests, to be published and kept elsewhere')
        .argument('[key-id]', 'an earlier version of a key in Vault (default: the newest)'),
    ),
    ['firebreak evidence public-key > evidence.pem.pub'],
  ).action(async (keyId: string | undefined, options: ConfiguredOptions) => printPublicKey(keyId, options));

  registerEvidenceOrders(evidence);
}

async function printPublicKey(keyId: string | undefined, options: ConfiguredOptions): Promise<void> {
  const config = configToUse(options.config);
  const all = await evidencePublicKeys({ config, secrets: resolveStoreSecrets({ config, env: process.env }) });
  if (options.json) return printJson(all);
  const found = keyId === undefined ? all.at(-1) : all.find((one) => one.keyId === keyId);
  if (!found)
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `unknown key ${keyId}: use one of ${all.map((one) => one.keyId).join(', ')}`);
  for (const line of found.pem.trimEnd().split('\n')) print(line);
}

/** If Temporal, or the keys to its payloads, are not available, only the store is read. */
const aloneAfter: readonly ErrorCode[] = ['FB_ERR_CONFIG_INVALID', 'FB_ERR_UNAVAILABLE', 'FB_ERR_UNKNOWN_ID'];

/** A manifest's own address works without Temporal: evidence outlives it. */
async function manifestsOf(written: string, options: EvidenceOptions): Promise<Wanted> {
  const reader = await openReader(options);
  if (isAddress(written)) return { reader, addresses: [written] };
  const id = fullIncidentId(written, reader.config.cluster);
  if (!subjectOfIncident(id))
    throw new FirebreakError(
      'FB_ERR_UNKNOWN_ID',
      `${written} is neither an incident (such as shop/Deployment/cart) nor the full SHA-256 of a manifest (64 digits)${await withSession(options, (session) => suggestion(session, written)).catch(() => '')}`,
    );
  const { run } = options;
  try {
    const { evidence } = await withSession(options, (session) => incidentNamed(session, written, run));
    return { reader, addresses: [...new Set(evidence.map(({ manifestSha256 }) => manifestSha256))] };
  } catch (error) {
    const addresses = hasCode(error, ...aloneAfter) ? await indexed(reader, id, run) : [];
    if (addresses.length === 0) throw error;
    if (!options.json)
      print('From the store alone, for all its runs: Temporal no longer has the incident, or cannot be reached from here.');
    return { reader, addresses };
  }
}

/** The manifests that the store lists for an incident, oldest first. One that cannot be read is included: verification must report it. */
async function indexed({ index, store, verifier }: EvidenceReader, incident: string, run?: string): Promise<readonly string[]> {
  const found: { readonly address: string; readonly createdAt: string }[] = [];
  for (const address of await index.of(incident)) {
    const manifest = await readManifest({ store, verifier, sha256: address }).catch(() => undefined);
    if (manifest && (manifest.incident !== incident || (run !== undefined && manifest.run !== run))) continue;
    found.push({ address, createdAt: manifest?.createdAt ?? '' });
  }
  return found.sort((one, other) => compareTexts(one.createdAt, other.createdAt)).map(({ address }) => address);
}

async function verify({ reader, addresses }: Wanted, options: EvidenceOptions): Promise<void> {
  const check = createManifestVerifier(reader);
  if (!reader.keys && !options.json)
    print(printable(`Sealed evidence is only checked as it is stored: ${reader.opensWith} is missing here.`));
  const results: { readonly manifest: string; readonly problems: readonly string[] }[] = [];
  for (const manifest of addresses) results.push({ manifest, problems: await check(manifest) });
  if (results.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
  if (options.json) return printJson(results);
  if (results.length === 0) return print('Nothing is kept: there is nothing to check.');
  for (const { manifest, problems } of results) {
    const verdict = 'signature, custody list and every hash are correct';
    print(printable(`${manifest}  ${problems.length === 0 ? verdict : `${problems.length} found`}`));
    for (const problem of problems) print(printable(`  ${problem}`));
  }
}
