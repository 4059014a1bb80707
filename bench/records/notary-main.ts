/**
 * A notary in its own process, as at a desk: in the bench's process, the generator's garbage would count as the notary's memory. It signs each time it is told
 * to, and reports the cost.
 */
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { createNotary } from '../../service/records/notary.ts';

export interface NotaryPlace {
  readonly url: string;
  readonly pem: string;
  /** The current time: ISO 8601, UTC. */
  readonly at: string;
}

export interface NotarySpent {
  readonly cpuSeconds: number;
  readonly seconds: number;
}

const fail = (problem: unknown): void => {
  throw problem;
};
const { url, pem, at }: NotaryPlace = JSON.parse(process.argv[2] ?? '');
const signer = signerFrom({ pem, name: 'the notary' });
const notary = createNotary({
  store: createAuditStore(await openDatabase({ url })),
  ...{ signer, verifier: createVerifier({ publicKeys: [signer.publicKey] }), everyMs: 60_000 },
  ...{ onAlarm: fail, onError: fail, now: () => new Date(at) },
});
process.on('message', async () => {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await notary.sign();
  const { user, system } = process.cpuUsage(cpu);
  const spent: NotarySpent = { cpuSeconds: (user + system) / 1e6, seconds: (performance.now() - began) / 1_000 };
  process.send?.(spent);
});
process.on('disconnect', () => process.exit());
