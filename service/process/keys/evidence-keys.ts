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

/** What signs manifests, and whose signatures are believed; asked for when it is needed, since a key service may be away at the start. */
interface EvidenceSigning {
  signer(): Promise<Signer>;
  verifier(): Promise<SignatureVerifier>;
}

/** A version of a key that somebody has made meanwhile is believed after so long. */
const believeAnewMs = 60_000;

/** @throws FB_ERR_CONFIG_INVALID when the keys are not as the configuration says. A key service that is away is waited for, later. */
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

/** For who only checks: it needs no private half, and in Vault no right but to read the public one. */
export async function openEvidenceVerifier(query: EvidenceKeyQuery): Promise<EvidenceSigning['verifier']> {
  const transit = transitOf(query);
  if (transit) return believed(() => transitPublicKeys(transit.sign));
  const verifier = await openVerifier({ files: [publicFileOf(query.config)] });
  return async () => verifier;
}

/** The same for who may need none: nothing is read before the first manifest is. */
export function lateEvidenceVerifier(query: EvidenceKeyQuery): EvidenceSigning['verifier'] {
  return believed(() => evidencePublicKeys(query));
}

/** Public halves, to be handed out: those of all versions, the newest last. */
export async function evidencePublicKeys(query: EvidenceKeyQuery): Promise<readonly PublicKey[]> {
  const transit = transitOf(query);
  if (transit) return transitPublicKeys(transit.sign);
  return (await readPublicKeys([publicFileOf(query.config)])).map(publicKeyOf);
}

/** What wraps the keys of the incidents. @throws FB_ERR_CONFIG_INVALID when the key that wraps them cannot be read. */
export async function openKeyWrap(query: EvidenceKeyQuery): Promise<KeyWrap> {
  const transit = transitOf(query);
  if (transit) return transitWrap(transit.wrap);
  const key = await readRandomKey(query.config.evidence.wrapKeyFile);
  return boxWrap(createBox({ keys: [{ id: 'evidence', key }] }));
}

/** The public half beside the key file. */
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
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the keys of the evidence are in Vault, and its token is not there');
  const { address, namespace } = where;
  return new Vault({ address, token, ...(namespace !== undefined && { namespace }) });
}

/** What was believed last is believed on while the key service does not answer. */
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

/** See `keepVaultToken`. Does nothing where the keys are in files. */
export async function renewVaultToken(
  query: EvidenceKeyQuery & { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { config, log, signal } = query;
  if (config.evidence.vault) await keepVaultToken({ vault: vaultOf(query), name: 'the evidence’s Vault', log, signal });
}
