import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { BundleKey } from '../../core/bundle/bundle.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { PublicKey } from '../../core/messages/signing.ts';
import { createVerifier, publicKeyOf } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import { notaryKeyFiles, readKeyText } from '../process/keys/key-files.ts';
import { openTrust } from '../process/trust.ts';
import type { RetiredKey } from './retired-key.ts';

/** The public keys (PEM) of everyone who may have signed records, in a form that can be passed to another thread. */
export interface AuditKeys {
  readonly cells: readonly { readonly cluster: string; readonly key: string }[];
  readonly desks: readonly string[];
  /** Keys by person. */
  readonly people: ReadonlyMap<string, readonly string[]>;
}

/** Builds trust from these keys, as they are now. @throws FB_ERR_CONFIG_INVALID for anything that is not a public key. */
export function trustInKeys({ cells, desks, people }: AuditKeys): { readonly trust: Trust; readonly signers: VoteSigners } {
  const ofCells = cells.map(({ cluster, key }) => ({ cluster, verifier: createVerifier({ publicKeys: [key] }) }));
  const desk = createVerifier({ publicKeys: desks });
  return {
    trust: {
      senderOf: (signed) => {
        const { keyId } = signed;
        const cell = ofCells.find(({ verifier }) => verifier.keyIds.includes(keyId));
        if (cell) return cell.verifier.verify(signed) ? { role: 'cell', keyId, cluster: cell.cluster } : undefined;
        return desk.verify(signed) ? { role: 'desk', keyId } : undefined;
      },
    },
    signers: voteSigners(desks, people),
  };
}

function voteSigners(desks: readonly string[], people: ReadonlyMap<string, readonly string[]>): VoteSigners {
  const byPerson = new Map([...people].map(([id, publicKeys]) => [id, createVerifier({ publicKeys }).keyIds]));
  const desk = createVerifier({ publicKeys: desks });
  const all = createVerifier({ publicKeys: [...desks, ...[...people.values()].flat()] });
  return { ...all, keyIdsFor: (person, via) => (via === 'cli' ? (byPerson.get(person) ?? []) : desk.keyIds) };
}

/**
 * Opens trust in everyone who may have signed records: those of the configuration, and earlier ones. @throws FB_ERR_CONFIG_INVALID for anything that is not a
 * public key.
 */
export async function openAuditTrust(
  config: Pick<Config, 'cluster' | 'trust' | 'desk' | 'roster'>,
  retired: readonly RetiredKey[],
): Promise<{ readonly trust: Trust; readonly signers: VoteSigners; readonly keys: AuditKeys }> {
  const retiredCells = retired.flatMap(({ of, file }) => ('cell' in of ? { cluster: of.cell, key: file } : []));
  const desks = retired.flatMap(({ of, file }) => ('desk' in of ? file : []));
  const people = new Map<string, string[]>(config.roster.people.map(({ id, keys }) => [id, [...keys]]));
  for (const { of, file } of retired)
    if ('person' in of) people.set(of.person, [...(people.get(of.person) ?? []), await readKeyText(file)]);
  const cells = [...config.trust.cells, ...retiredCells];
  // Read here, so that an unreadable key is an error instead of making its records look forged.
  const cellKeys = await Promise.all(cells.map(async ({ cluster, key }) => ({ cluster, key: await readKeyText(key) })));
  createVerifier({ publicKeys: cellKeys.map(({ key }) => key) });
  const votePublicKeys = [...config.desk.votePublicKeys, ...desks];
  const deskKeys = await Promise.all(votePublicKeys.map(readKeyText));
  return {
    trust: openTrust(
      {
        cluster: config.cluster,
        trust: { ...config.trust, cells },
        desk: { ...config.desk, votePublicKeys },
      },
      'desk',
    ),
    signers: voteSigners(deskKeys, people),
    keys: { cells: cellKeys, desks: deskKeys, people },
  };
}

/** Returns the public keys of everyone who signs records, as a bundle lists them. @throws FB_ERR_CONFIG_INVALID for anything that is not a public key. */
export async function recordKeys(
  config: Pick<Config, 'trust' | 'desk' | 'roster' | 'audit'>,
  retired: readonly RetiredKey[],
  evidence: readonly PublicKey[],
): Promise<readonly BundleKey[]> {
  const files: readonly { readonly of: string; readonly file: string }[] = [
    ...config.trust.cells.map(({ cluster, key }) => ({ of: `cell/${cluster}`, file: key })),
    ...config.desk.votePublicKeys.map((file) => ({ of: 'desk', file })),
    ...notaryKeyFiles(config.audit).map((file) => ({ of: 'notary', file })),
    ...retired.map(({ of, file }) => ({ of: ownerOf(of), file })),
  ];
  const read = await Promise.all(files.map(async ({ of, file }) => bundleKey(of, await readKeyText(file))));
  const people = config.roster.people.flatMap(({ id, keys }) => keys.map((pem) => bundleKey(`person/${id}`, pem)));
  const all = [...read, ...people, ...evidence.map(({ pem }) => bundleKey('evidence', pem))];
  return [...new Map(all.map((key) => [`${key.of} ${key.spki}`, key])).values()];
}

function ownerOf(of: RetiredKey['of']): string {
  if ('cell' in of) return `cell/${of.cell}`;
  return 'person' in of ? `person/${of.person}` : 'desk';
}

/** @throws FB_ERR_CONFIG_INVALID if it is not a public key. */
function bundleKey(of: string, pem: string): BundleKey {
  return { of, spki: publicKeyOf(pem).pem.replaceAll(/-----[A-Z ]+-----|\s/g, '') };
}
