import { createPrivateKey } from 'node:crypto';
import type { Trust } from '../../core/messages/sender.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { createSpeaker, type Speaker } from '../temporal/speaker.ts';

/** PKCS#8 prefix of an Ed25519 key, before its 32 bytes. RFC 8410, section 10.3. */
const pkcs8 = '302e020100300506032b657004220420';

/**
 * How a trial communicates with its own Temporal: encrypted and signed as in an installation, with keys that are not secret and that nobody else trusts. They
 * are the same in every trial, so that a history can be replayed on another machine.
 */
export function trialSpeaker(cluster: string): Speaker {
  const der = Buffer.from(`${pkcs8}${sha256Hex('the signing key of trials, which is no secret')}`, 'hex');
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
  const signer = signerFrom({ pem: pem.toString(), name: 'trial' });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  const trust: Trust = {
    senderOf: (signed) => (verifier.verify(signed) ? { role: 'cell', cluster, keyId: signed.keyId } : undefined),
  };
  const keys = [{ id: 'trial', key: Buffer.from(sha256Hex('the payload key of trials, which is no secret'), 'hex') }];
  return createSpeaker({ keys, namespace: 'default', signer, trust });
}
