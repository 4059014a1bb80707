import { createHash, createPrivateKey, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '../../core/action/plan.ts';
import { type AuditRecord, recordContent, recordLink, type SignedRecord, signRecord } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Bundle, BundleKey } from '../../core/bundle/bundle.ts';
import { type Question, questionDigest, type Vote, voteBytes } from '../../core/decide/approval.ts';
import type { EvidenceManifest } from '../../core/evidence/evidence.ts';
import { manifestBytes, unsignedManifest } from '../../core/evidence/evidence-manifest.ts';
import { type Remark, remarkBytes } from '../../core/incident/remark.ts';
import { orderBytes } from '../../core/orders/order.ts';
import { type RemoveContent, recordOrderDone, removalId } from '../../core/orders/record-hold.ts';
import { canonicalJson, sha256Hex } from '../../core/text/digest.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createVerifier, type FileSigner, signerFrom } from '../../integrations/keys/ed25519.ts';
import { bundleContent, exportOrder } from '../../service/records/bundle-content.ts';
import { createNotary } from '../../service/records/notary.ts';

/** The seeds of everybody in the sample: anyone who tests a verifier can forge what its checks refuse. */
export const seeds = Object.fromEntries(
  ['cell/prod-eu', 'desk', 'notary', 'evidence', 'person/ada', 'person/ben', 'person/mia'].map((of) => [
    of,
    createHash('sha256').update(`firebreak test vector ${of}`).digest('hex'),
  ]),
);

const pkcs8 = '302e020100300506032b657004220420';

/** @param seed 32 bytes in hex */
export function privateKeyOf(seed: string): string {
  const der = Buffer.from(`${pkcs8}${seed}`, 'hex').toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
}

function pemOf(of: string): string {
  return privateKeyOf(seeds[of] ?? '');
}

function signerOf(of: string): FileSigner {
  return signerFrom({ pem: pemOf(of), name: of });
}

/** Creates the signature at once, for when many are made. */
export function signedWithKeyOf(of: string, bytes: Uint8Array): { readonly keyId: string; readonly signature: string } {
  return { keyId: signerOf(of).keyId, signature: sign(null, bytes, createPrivateKey(pemOf(of))).toString('base64') };
}

const bundleKeys: readonly BundleKey[] = Object.keys(seeds).map((of) => ({
  of,
  spki: signerOf(of).publicKey.replaceAll(/-----[A-Z ]+-----|\s/g, ''),
}));

const incident = { id: 'incident/prod-eu/shop/Deployment/cart', run: '0f6c2a52-6d0c-4c53-9d0e-5f5f2d1f7a11' };
const sampleChain = `${incident.id}@${incident.run}`;
const minute = (count: number): string => new Date(Date.UTC(2026, 2, 1, 10, count)).toISOString();

const pod = { name: 'pod/shop/cart-7d9c5b6f4-x2x8k', uid: '5a1c7a0e-2f7e-4b52-9a53-0e6a1b6f0c11' };

function planOf(action: string, effect: Plan['effect'], what: string): Plan {
  const blastRadius = [pod.name];
  return {
    ...{ action, effect, reach: 'pod', target: pod, changes: [{ target: pod.name, what }], blastRadius, notes: [] },
    inputDigest: sha256Hex(action),
  };
}

const quarantine = planOf(
  'quarantinePod',
  'reversible',
  'replaces its labels (firebreak.dev/incident=328d86ccdb005a252c56f5291404c777) by firebreak.dev/quarantine',
);
const removal = planOf('deletePod', 'destructive', 'deletes the pod; its Deployment starts another one');
const artefact = { name: 'pod.yaml', bytes: Buffer.from('apiVersion: v1\nkind: Pod\nmetadata:\n  name: cart-7d9c5b6f4-x2x8k\n') };

const manifest: EvidenceManifest = (() => {
  const unsigned = unsignedManifest({
    keyId: signerOf('evidence').keyId,
    draft: {
      incident: incident.id,
      run: incident.run,
      step: 'collectPodInfo/1',
      target: pod,
      artefacts: [
        {
          ...{ name: artefact.name, mediaType: 'application/yaml', sha256: sha256Hex(artefact.bytes) },
          ...{ bytes: artefact.bytes.length, collectedAt: minute(1), tool: 'firebreak 0.1.0' },
        },
      ],
      custody: [
        { at: minute(1), who: 'cell/prod-eu', did: 'took it from the API server' },
        { at: minute(1), who: 'cell/prod-eu', did: 'put it into the store' },
      ],
      createdAt: minute(1),
    },
  });
  return { ...unsigned, signature: signedWithKeyOf('evidence', manifestBytes(unsigned)).signature };
})();
const manifestSha256 = sha256Hex(canonicalJson(manifest));

const question: Question = {
  id: 'a1b2c3d4e5f60718',
  incident,
  severity: 'critical',
  text: 'Is the new binary in cart-7d9c5b6f4-x2x8k expected?',
  choices: [
    { id: 'release', label: 'Yes, release it', plans: [], quorum: 1, harmless: true },
    { id: 'remove', label: 'No, delete the pod', plans: [removal], quorum: 2 },
  ],
  levels: [{ group: 'oncall', withinMs: 900_000 }],
  requester: 'playbook/contain-dropped-binary',
  onSilence: 'It stays quarantined.',
  actors: ['mia'],
};

function voteOf(person: string, via: Vote['via'], at: string, reason: string) {
  const vote: Vote = {
    ...{ version: 1, id: sha256Hex(person).slice(0, 16), incident, question: question.id, choice: 'remove' },
    ...{ questionDigest: questionDigest(question), person, via, at, reason },
  };
  return { vote, ...signedWithKeyOf(via === 'cli' ? `person/${person}` : 'desk', voteBytes(vote)) };
}

const remark: Remark = {
  ...{ version: 1, id: '77aa', incident, question: question.id, kind: 'comment', person: 'ben', at: minute(4) },
  text: 'Nothing of ours <writes> there – ünïcode 🦊, and a tab\there.',
};

/** What happened, in the order in which it was recorded. */
const told: readonly (readonly [kind: string, actor: string, text: string, body?: AuditRecord['body']])[] = [
  [
    'incident.opened',
    'sensor/falco',
    'A new binary was run in cart-7d9c5b6f4-x2x8k',
    {
      alerts: [
        { id: 'f-1', rule: 'Drop and execute new binary in container', severity: 'critical', novelty: { score: 0.0000125 } },
      ],
    },
  ],
  [
    'playbook.started',
    'playbook/contain-dropped-binary',
    'Contain a pod that ran a new binary',
    { version: '0.1.0', build: '3f0a5b1c2d4e6f70' },
  ],
  [
    'step.applied',
    'playbook/contain-dropped-binary',
    'Quarantine the pod: cart-7d9c5b6f4-x2x8k',
    { action: 'quarantinePod', plan: quarantine, output: { networks: 1.5e21 } },
  ],
  [
    'step.applied',
    'playbook/contain-dropped-binary',
    'Keep what the API server knows of the pod',
    { action: 'collectPodInfo', output: { manifestSha256, target: pod } },
  ],
  ['question.asked', 'playbook/contain-dropped-binary', question.text, { question }],
  [
    'question.comment',
    'person/ben',
    'Ben Turing: Nothing of ours writes there',
    { remark: { remark, ...signedWithKeyOf('desk', remarkBytes(remark)) } },
  ],
  ['vote.accepted', 'person/ada', 'Ada Lovelace: No, delete the pod', voteOf('ada', 'cli', minute(5), 'nobody built this')],
  ['vote.accepted', 'person/ben', 'Ben Turing: No, delete the pod', voteOf('ben', 'slack', minute(6), 'agreed')],
  [
    'question.decided',
    'person/ada,person/ben',
    'No, delete the pod, by Ada Lovelace and Ben Turing',
    { question: question.id, choice: 'remove', by: ['ada', 'ben'] },
  ],
  [
    'step.applied',
    'playbook/contain-dropped-binary',
    'Delete the pod: cart-7d9c5b6f4-x2x8k',
    { action: 'deletePod', plan: removal },
  ],
  [
    'incident.verdict',
    'playbook/contain-dropped-binary',
    'An attack: Ada Lovelace and Ben Turing have said so',
    { verdict: 'true_positive' },
  ],
  ['incident.closed', 'engine', 'closed: an attack', { verdict: 'true_positive', reached: 'eradicated' }],
];

const elsewhere = 'incident/prod-eu/shop/Deployment/web@1c0d';

/** Writes the sample into a store, along with two other chains and four checkpoints: the newest is not about the sample. */
export async function writeSample(store: AuditStore): Promise<void> {
  const cell = signerOf('cell/prod-eu');
  const desk = signerOf('desk');
  const records: SignedRecord[] = [];
  for (const [index, [kind, actor, text, body = {}]] of told.entries()) {
    const record = { chain: sampleChain, number: index + 1, at: minute(index), kind, actor, body: { text, ...body } };
    const before = records.at(-1);
    records.push(await signRecord(record, cell, before && recordLink(before)));
  }
  const other = (chain: string, number: number) =>
    signRecord(
      { chain, number, at: minute(0), kind: 'step.applied', actor: 'engine', body: {} },
      chain === elsewhere ? cell : desk,
    );
  let now = 0;
  const fail = (problem: unknown): void => {
    throw problem;
  };
  const signer = signerOf('notary');
  const notary = createNotary({
    ...{
      store,
      signer,
      verifier: createVerifier({ publicKeys: [signer.publicKey] }),
      everyMs: 60_000,
      onAlarm: fail,
      onError: fail,
    },
    now: () => new Date(minute(now)),
  });
  const until = async (minutes: number, from: number, to: number): Promise<void> => {
    now = minutes;
    await store.append(records.slice(from, to));
    await notary.sign();
  };
  await store.append([await other(elsewhere, 1)]);
  await until(3, 0, 3);
  await store.append([await other(elsewhere, 2)]);
  await store.append([await other('desk/main', 1)]);
  await until(7, 3, 7);
  await until(12, 7, 12);
  await store.append([await other('desk/main', 2)]);
  await removeContent(store, records);
  now = 13;
  await notary.stop();
}

const removedPlace = 11;

/** Two people order the removal of the verdict's text, which names others. */
async function removeContent(store: AuditStore, records: readonly SignedRecord[]): Promise<void> {
  const control = 'control/prod-eu@9a1b';
  const what = { chain: sampleChain, records: [removedPlace] };
  for (const [index, person] of ['ada', 'mia'].entries()) {
    const order: RemoveContent = {
      ...{ version: 1, kind: 'records.remove', person, at: minute(12), cluster: 'prod-eu', removal: removalId(what), ...what },
      reason: 'erasure request 17',
    };
    const body = { text: 'remove it', order: { order, ...signedWithKeyOf(`person/${person}`, orderBytes(order)) } };
    const record = { chain: control, number: index + 1, at: minute(12), actor: `person/${person}`, body };
    await store.append([await signRecord({ ...record, kind: recordOrderDone[order.kind] }, signerOf('cell/prod-eu'))]);
  }
  const signed = records[removedPlace - 1];
  if (!signed) throw new Error('the sample has no such record');
  await store.removeContent({ chain: sampleChain, place: removedPlace, number: removedPlace, content: recordContent(signed) });
}

/** The sample's bundle as its person would export it. */
export async function exportSample(store: AuditStore, person = 'ada'): Promise<Bundle> {
  const exporter = signerOf(`person/${person}`);
  const content = await bundleContent(sampleChain, {
    ...{ store, keys: bundleKeys, madeBy: 'firebreak 0.1.0', exporterKeyId: exporter.keyId },
    verifier: createVerifier({ publicKeys: [signerOf('notary').publicKey] }),
    manifestAt: async (sha256) => (sha256 === manifestSha256 ? manifest : undefined),
    artefactsOf: async ([of]) => (of?.artefacts ?? []).map(({ sha256 }) => ({ sha256, data: artefact.bytes.toString('base64') })),
    names: { ada: 'Ada Lovelace', ben: 'Ben Turing', otto: 'Otto Hahn' },
  });
  const order = exportOrder(content, { person, at: minute(14), reason: 'the audit of March', cluster: 'prod-eu' });
  return { format: 'firebreak.bundle.v1', content, export: { order, ...signedWithKeyOf(`person/${person}`, orderBytes(order)) } };
}

/** The sample, built from a database of its own. */
export async function sampleBundle(): Promise<Bundle> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-bundle-'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  try {
    const store = createAuditStore(database);
    await writeSample(store);
    return await exportSample(store);
  } finally {
    await database.close();
    rmSync(folder, { recursive: true });
  }
}
