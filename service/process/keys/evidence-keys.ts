import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import type { KeyWrap } from '../../../core/evidence/incident-key.ts';
import type { PublicKey, SignatureVerifier, Signer } from '../../../core/messages/signing.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { createVerifier, openSigner, openVerifier, publicKeyOf } from '../../../integrations/keys/ed25519.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { openTransitSigner, transitPublicKeys, transitWrap } from '../../../integrations/vault/transit.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { Logger } from '../log.ts';
import { keepVaultToken } from '../vault-token.ts';
import { readPublicKeys, readRandomKey } from './key-files.ts';

interface EvidenceKeyQuery {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 'evidenceVault'>;
}

/** The signer of manifests, and the verifier for their signatures; both are opened on demand, because a key service may be unavailable at the start. */
interface EvidenceSigning {
  signer(): Promise<Signer>;
  verifier(): Promise<SignatureVerifier>;
}

/** Milliseconds until a key version that was created meanwhile is trusted. */
const believeAnewMs = 60_000;

/** @throws FB_ERR_CONFIG_INVALID if the keys are not as configured. If a key service is unavailable, this is retried later. */
export async function openEvidenceSigning(query: EvidenceKeyQuery): Promise<EvidenceSigning> {
  const transit = transitOf(query);
  if (!transit) {
    const signer = await openSigner({ file: query.config.evidence.keyFile });
    const verifier = createVerifier({ publicKeys: [signer.publicKey] });
    return { signer: async () => signer, verifier: async () => verifier };
  }
  let opened: Signer | undefined;
  const signer = async (): Promise<Signer> => {
    opened ??= await openTransitSigner(transit.sign);
    return opened;
  };
  await signer().catch(undefinedIf('FB_ERR_UNAVAILABLE'));
  return { signer, verifier: believed(() => transitPublicKeys(transit.sign)) };
}

/** For callers that only verify: needs no private half, and in Vault only the right to read the public one. */
export async function openEvidenceVerifier(query: EvidenceKeyQuery): Promise<EvidenceSigning['verifier']> {
  const transit = transitOf(query);
  if (transit) return believed(() => transitPublicKeys(transit.sign));
  const verifier = await openVerifier({ files: [publicFileOf(query.config)] });
  return async () => verifier;
}

/** The same for callers that may need no verifier: nothing is read before the first manifest is checked. */
export function lateEvidenceVerifier(query: EvidenceKeyQuery): EvidenceSigning['verifier'] {
  return believed(() => evidencePublicKeys(query));
}

/** Returns the public halves of all versions, for distribution, the newest last. */
export async function evidencePublicKeys(query: EvidenceKeyQuery): Promise<readonly PublicKey[]> {
  const transit = transitOf(query);
  if (transit) return transitPublicKeys(transit.sign);
  return (await readPublicKeys([publicFileOf(query.config)])).map(publicKeyOf);
}

/** Opens the key that wraps the keys of the incidents. @throws FB_ERR_CONFIG_INVALID if that key cannot be read. */
export async function openKeyWrap(query: EvidenceKeyQuery): Promise<KeyWrap> {
  const transit = transitOf(query);
  if (transit) return transitWrap(transit.wrap);
  const key = await readRandomKey(query.config.evidence.wrapKeyFile);
  return boxWrap(createBox({ keys: [{ id: 'evidence', key }] }));
}

/** Path of the public half, next to the key file. */
function publicFileOf({ evidence }: Config): string {
  return `${evidence.keyFile}.pub`;
}

function transitOf({ config, secrets }: EvidenceKeyQuery) {
  const { vault: where } = config.evidence;
  if (!where) return undefined;
  const { mount, signKey, wrapKey } = where;
  const vault = vaultOf({ config, secrets });
  return { sign: { vault, mount, key: signKey }, wrap: { vault, mount, key: wrapKey } };
}

function vaultOf({ config, secrets: { evidenceVault: token } }: EvidenceKeyQuery): Vault {
  const { vault: where } = config.evidence;
  if (!where || !token)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the keys of the evidence are in Vault, but its token is missing');
  const { address, namespace } = where;
  return new Vault({ address, token, ...(namespace !== undefined && { namespace }) });
}

/** While the key service does not answer, the last keys stay trusted. */
function believed(read: () => Promise<readonly PublicKey[]>): EvidenceSigning['verifier'] {
  let last: { readonly verifier: SignatureVerifier; readonly at: number } | undefined;
  return async () => {
    if (last && performance.now() - last.at < believeAnewMs) return last.verifier;
    try {
      const publicKeys = (await read()).map(({ pem }) => pem);
      last = { verifier: createVerifier({ publicKeys }), at: performance.now() };
      return last.verifier;
    } catch (error) {
      if (last) return last.verifier;
      throw error;
    }
  };
}

/** See `keepVaultToken`. Does nothing if the keys are in files. */
export async function renewVaultToken(
  query: EvidenceKeyQuery & { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { config, log, signal } = query;
  if (config.evidence.vault) await keepVaultToken({ vault: vaultOf(query), name: 'the evidence’s Vault', log, signal });
}
