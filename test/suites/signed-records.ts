import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AuditRecord,
  genesisHash,
  originOf,
  recordBytes,
  recordLink,
  type SignedRecord,
  storable,
} from '../../core/audit/audit.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { createVerifier, type FileSigner, signerFrom } from '../../integrations/keys/ed25519.ts';
import type { AuditKeys } from '../../service/records/audit-trust.ts';
import { createNotary } from '../../service/records/notary.ts';
import { newPrivateKey } from './private-key.ts';

/** A key that acts as a cell or a desk in tests. */
interface Maker {
  readonly pem: string;
  readonly publicKey: string;
  sign(record: AuditRecord): SignedRecord;
  /** The signature also covers the previous record. */
  signAfter(record: AuditRecord, before: SignedRecord): SignedRecord;
}

export function newMaker(pem = newPrivateKey()): Maker {
  const key = createPrivateKey(pem);
  const { keyId, publicKey } = signerFrom({ pem, name: 'a maker of records' });
  const signed = (given: AuditRecord, follows: string): SignedRecord => {
    const record = storable(given);
    const salt = sha256Hex(`${record.chain} ${record.number}`).slice(0, 32);
    return {
      record,
      keyId,
      follows,
      salt,
      signature: sign(null, recordBytes({ record, follows, salt }), key).toString('base64'),
    };
  };
  return {
    pem,
    publicKey,
    sign: (given) => signed(given, genesisHash),
    signAfter: (given, before) => signed(given, recordLink(before)),
  };
}

/** The cell of the cluster `c`. */
export const maker = newMaker();
/** The desk. */
export const deskMaker = newMaker();

const cellKeys = createVerifier({ publicKeys: [maker.publicKey] });
const deskKeys = createVerifier({ publicKeys: [deskMaker.publicKey] });
export const makersTrust: Trust = {
  senderOf: (signed) => {
    const { keyId } = signed;
    if (cellKeys.verify(signed)) return { role: 'cell', keyId, cluster: 'c' };
    return deskKeys.verify(signed) ? { role: 'desk', keyId } : undefined;
  },
  senderOfAsync: async (signed) => {
    const { keyId } = signed;
    if (await cellKeys.verifyAsync(signed)) return { role: 'cell', keyId, cluster: 'c' };
    return (await deskKeys.verifyAsync(signed)) ? { role: 'desk', keyId } : undefined;
  },
};

/** The same keys, for threads. */
export const makersKeys: AuditKeys = {
  cells: [{ cluster: 'c', key: maker.publicKey }],
  desks: [deskMaker.publicKey],
  people: new Map(),
};

/** The maker that writes such a chain. */
export function makerOf(chain: string): Maker {
  return originOf(chain)?.role === 'desk' ? deskMaker : maker;
}

/** Makes one checkpoint of a store as it is now, as the notary of a desk signs it. */
export async function signNow({ store, signer }: { readonly store: AuditStore; readonly signer: FileSigner }): Promise<void> {
  const fail = (problem: unknown): void => {
    throw problem;
  };
  const notary = createNotary({
    store,
    signer,
    verifier: createVerifier({ publicKeys: [signer.publicKey] }),
    everyMs: 60_000,
    onAlarm: fail,
    onError: fail,
  });
  await notary.stop();
}

/** For records that contain no vote. */
export const noSigners: VoteSigners = { keyIds: [], keyIdsFor: () => [], verify: () => false };

/** Writes `firebreak.yaml` of the cluster `lab` into a folder; its records are in `audit.db` next to it, and are trusted if these two makers signed them. */
export function writeConfiguration(folder: string): void {
  const { publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, 'ana.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(folder, 'cell.pem'), maker.publicKey);
  writeFileSync(join(folder, 'desk.pem'), deskMaker.publicKey);
  writeFileSync(
    join(folder, 'firebreak.yaml'),
    `cluster: lab
stateDir: .
audit: { url: 'sqlite:audit.db' }
intake: { tokens: [{ name: falco, token: { env: TOKEN } }] }
trust: { cells: [{ cluster: lab, key: cell.pem }] }
desk: { votePublicKeys: [desk.pem] }
roster:
  people: [{ id: ana, name: Ana, keys: [ana.pem] }]
  groups: { oncall: [ana], leads: [ana] }
`,
  );
}
