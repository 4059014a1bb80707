import { createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sender, SigningRole, Trust } from '../../core/messages/sender.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { createVerifier, type FileSigner, signerFrom } from '../../integrations/keys/ed25519.ts';
import { createSpeaker, type Speaker, type SpeakerOptions } from '../../service/temporal/speaker.ts';

/** Prefix of an Ed25519 key in PKCS#8, before its 32 bytes. RFC 8410, section 10.3. */
const pkcs8 = '302e020100300506032b657004220420';

/** The same key in every run: golden histories are signed with it. */
export function testSigner(name: string): FileSigner {
  const der = Buffer.from(`${pkcs8}${sha256Hex(`a key of the tests: ${name}`)}`, 'hex');
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
  return signerFrom({ pem: pem.toString(), name });
}

export const testCodecKeys = [{ id: 'test', key: Buffer.from(sha256Hex('the payload key of the tests'), 'hex') }];

export interface Member {
  readonly role: SigningRole;
  readonly cluster?: string;
  readonly signer: FileSigner;
}

export function member(role: SigningRole, cluster?: string, name = `${role} of ${cluster ?? 'all'}`): Member {
  return { role, signer: testSigner(name), ...(cluster !== undefined && { cluster }) };
}

/** Trusts these members, and nobody else. */
export function trusting(members: readonly Member[]): Trust {
  const known = members.map(({ signer, ...who }) => ({ who, verifier: createVerifier({ publicKeys: [signer.publicKey] }) }));
  return {
    senderOf: (signed): Sender | undefined => {
      const found = known.find(({ verifier }) => verifier.verify(signed));
      return found && { ...found.who, keyId: signed.keyId };
    },
  };
}

/** The cell of a test's cluster; it also does the work of all other roles, as a single process does. */
export function testSpeaker(cluster = 'lab', { namespace = 'default', ...over }: Partial<SpeakerOptions> = {}): Speaker {
  const cell = member('cell', cluster);
  const trust = trusting([cell, member('desk')]);
  return createSpeaker({ keys: testCodecKeys, namespace, signer: cell.signer, trust, ...over });
}

/** Writes the key where a configuration can name it, under `trust`. */
export function writePublicKey(folder: string, { signer }: Member): string {
  const file = join(folder, `${signer.keyId}.pub`);
  writeFileSync(file, signer.publicKey);
  return file;
}

/** Options for `new Client` and test environments. */
export function clientOptions({ dataConverter, client }: Speaker) {
  return { dataConverter, interceptors: { workflow: [client] } };
}

/** Options for `Worker.create`. */
export function workerOptions({ workflows, activities }: Speaker) {
  return { ...workflows, interceptors: { activity: [activities] } };
}
