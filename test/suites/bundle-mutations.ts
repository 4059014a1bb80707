import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { genesisHash } from '../../core/audit/audit.ts';
import { leafHash, merkleRoot } from '../../core/audit/merkle.ts';
import type { Bundle } from '../../core/bundle/bundle.ts';
import type { BundleFault, BundleVerdict } from '../../core/bundle/verify-bundle.ts';
import { canonicalJson, digestOf } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { signedWithKeyOf } from './incident-bundle.ts';

type Mutable<T> = T extends string | number | boolean ? T : { -readonly [Name in keyof T]: Mutable<T[Name]> };
export type Draft = Mutable<Bundle>;

const bytesOf = (prefix: string, value: unknown): Uint8Array => Buffer.from(`${prefix}\n${canonicalJson(value)}`);

export function draftOf(bundle: Bundle): Draft {
  return structuredClone(bundle) as Draft;
}

/** As a person would have exported it that has changed it first. */
export function exportAgain({ content, export: signed }: Draft, person = 'person/ada'): void {
  signed.order.bundle = digestOf(content);
  signed.order.artefacts = content.artefacts.map(({ sha256 }) => sha256);
  Object.assign(signed, signedWithKeyOf(person, bytesOf('firebreak.order.v1', signed.order)));
}

/** As a cell would have made it that lies, and a notary that helps: all signatures, hashes and proofs fit. */
function sealAgain({ content }: Draft): void {
  let [previous, follows] = [genesisHash, genesisHash];
  for (const row of content.records) {
    if (row.said !== null) row.record.content = digestOf(row.said);
    const value = { ...row.record, follows };
    Object.assign(row, { follows }, signedWithKeyOf('cell/prod-eu', bytesOf('firebreak.record.v3', value)));
    const { keyId, signature } = row;
    follows = digestOf({ ...value, keyId, signature });
    row.hash = digestOf({ link: follows, previous });
    previous = row.hash;
  }
  let before = genesisHash;
  for (const one of content.checkpoints) {
    const { header, proof } = one;
    proof.head.hash = content.records[proof.head.number - 1]?.hash ?? genesisHash;
    const root = merkleRoot([leafHash(canonicalJson(proof.head))]);
    Object.assign(proof, { index: 0, path: [] });
    Object.assign(header, { moved: root, movedCount: 1, chains: 1, allHeads: root, previous: before });
    Object.assign(one, signedWithKeyOf('notary', bytesOf('firebreak.checkpoint.v1', header)));
    before = digestOf(header);
  }
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the sample has no such thing');
  return value;
}

const lastOf = <T>(list: readonly T[]): T => must(list.at(-1));
const saidIn = (draft: Draft, place: number) => must(must(draft.content.records[place - 1]).said ?? undefined);
const bodyOf = (draft: Draft, place: number): Record<string, unknown> => saidIn(draft, place).body;
const fieldsIn = (body: Record<string, unknown>, name: string): Record<string, unknown> => {
  const value = body[name];
  if (!isObject(value)) throw new Error(`the sample has no ${name}`);
  return value;
};

interface NamedMutation {
  readonly name: string;
  readonly code: BundleFault;
  readonly at?: number;
  readonly change: (draft: Draft) => void;
}

const exported =
  (change: (draft: Draft) => void) =>
  (draft: Draft): void => {
    change(draft);
    exportAgain(draft);
  };
const sealed = (change: (draft: Draft) => void) =>
  exported((draft) => {
    change(draft);
    sealAgain(draft);
  });

/** At least one for each thing that a verifier can say. */
export const namedMutations: readonly NamedMutation[] = [
  { name: 'a field more than there may be', code: 'form', change: (draft) => Object.assign(draft, { more: true }) },
  {
    name: 'a key that is of no curve',
    code: 'key-form',
    at: 0,
    change: ({ content: { keys } }) => Object.assign(must(keys[0]), { spki: `A${must(keys[0]).spki.slice(1)}` }),
  },
  { name: 'a key twice', code: 'key-form', at: 6, change: ({ content: { keys } }) => keys.push({ ...must(keys[1]) }) },
  {
    name: 'a text in a record, in a file that nobody signed again',
    code: 'content-changed',
    change: (draft) => Object.assign(bodyOf(draft, 1), { text: 'Nothing was run' }),
  },
  {
    name: 'an order about another run',
    code: 'order-mismatch',
    change: exported(({ export: { order } }) => Object.assign(order, { run: 'another' })),
  },
  {
    name: 'a person who did not sign it',
    code: 'export-forged',
    change: (draft) => {
      draft.export.order.person = 'ben';
      exportAgain(draft, 'person/mia');
    },
  },
  { name: 'no record', code: 'no-records', change: exported(({ content }) => content.records.splice(0)) },
  {
    name: 'a record of another incident',
    code: 'record-foreign',
    at: 4,
    change: exported((draft) => {
      must(draft.content.records[3]).record.chain = 'incident/prod-eu/shop/Deployment/web@1';
    }),
  },
  {
    name: 'a record that was taken out',
    code: 'record-order',
    at: 6,
    change: exported(({ content }) => content.records.splice(5, 1)),
  },
  {
    name: 'a record twice, as in a fork',
    code: 'record-order',
    at: 7,
    change: exported(({ content: { records } }) => records.splice(6, 0, structuredClone(must(records[5])))),
  },
  {
    name: 'two records in each other’s place',
    code: 'record-order',
    at: 7,
    change: exported(({ content: { records } }) => records.splice(6, 0, ...records.splice(7, 1))),
  },
  {
    name: 'another actor',
    code: 'record-changed',
    at: 3,
    change: exported((draft) => {
      saidIn(draft, 3).actor = 'person/ben';
    }),
  },
  {
    name: 'a record with a hash that fits, which no cell signed',
    code: 'record-forged',
    at: 12,
    change: exported(({ content: { records } }) => {
      const row = lastOf(records);
      if (row.said) row.said.body = { text: 'closed: harmless' };
      row.record.content = digestOf(row.said);
      const value = { ...row.record, follows: row.follows };
      Object.assign(row, signedWithKeyOf('desk', bytesOf('firebreak.record.v3', value)));
      const { keyId, signature } = row;
      row.hash = digestOf({
        link: digestOf({ ...value, keyId, signature }),
        previous: must(records.at(-2)).hash,
      });
    }),
  },
  {
    name: 'what a record said taken out, and no order for that',
    code: 'removal-unproven',
    at: 7,
    change: exported((draft) => {
      must(draft.content.records[6]).said = null;
    }),
  },
  {
    name: 'what a record said taken out by order of one person',
    code: 'removal-unproven',
    at: 11,
    change: exported(({ content: { removals } }) => removals.splice(1)),
  },
  {
    name: 'an order to remove something else',
    code: 'removal-forged',
    at: 0,
    change: exported(({ content: { removals, records } }) => {
      must(removals[0]).order.records = [7];
      must(records[6]).said = null;
    }),
  },
  {
    name: 'another kind of a record that says nothing any more',
    code: 'record-changed',
    at: 11,
    change: exported((draft) => {
      must(draft.content.records[10]).record.kind = 'incident.closed';
    }),
  },
  { name: 'no checkpoint', code: 'no-checkpoint', change: exported(({ content }) => content.checkpoints.splice(0)) },
  {
    name: 'a checkpoint twice, as in a fork',
    code: 'checkpoint-order',
    at: 2,
    change: exported(({ content: { checkpoints } }) => checkpoints.splice(2, 0, structuredClone(must(checkpoints[1])))),
  },
  {
    name: 'an earlier time of a checkpoint',
    code: 'checkpoint-forged',
    at: 3,
    change: exported((draft) => {
      must(draft.content.checkpoints[2]).header.at = '2026-03-01T10:08:00.000Z';
    }),
  },
  {
    name: 'a checkpoint that follows from another one',
    code: 'checkpoint-unlinked',
    at: 3,
    change: exported(({ content: { checkpoints } }) => {
      const one = must(checkpoints[2]);
      one.header.previous = genesisHash;
      Object.assign(one, signedWithKeyOf('notary', bytesOf('firebreak.checkpoint.v1', one.header)));
    }),
  },
  {
    name: 'a proof with another path',
    code: 'checkpoint-proof',
    at: 4,
    change: exported((draft) => lastOf(draft.content.checkpoints).proof.path.reverse()),
  },
  {
    name: 'the newest checkpoint left out',
    code: 'checkpoint-proof',
    at: 3,
    change: exported((draft) => draft.content.checkpoints.pop()),
  },
  {
    name: 'a checkpoint that goes back behind the one before',
    code: 'checkpoint-head',
    at: 4,
    change: sealed((draft) => {
      lastOf(draft.content.checkpoints).proof.head.number = 7;
    }),
  },
  {
    name: 'the last three records cut off',
    code: 'records-cut',
    at: 3,
    change: exported(({ content }) => content.records.splice(9)),
  },
  {
    name: 'another past, signed by the cell, which the checkpoints contradict',
    code: 'records-rewritten',
    at: 2,
    change: exported((draft) => {
      const checkpoints = structuredClone(draft.content.checkpoints);
      Object.assign(bodyOf(draft, 5), { text: 'Is it harmless?' });
      sealAgain(draft);
      draft.content.checkpoints = checkpoints;
    }),
  },
  {
    name: 'another reason in a vote',
    code: 'vote-forged',
    at: 7,
    change: sealed((draft) => Object.assign(fieldsIn(bodyOf(draft, 7), 'vote'), { reason: 'because' })),
  },
  {
    name: 'a vote of Slack as one of the command line',
    code: 'vote-forged',
    at: 8,
    change: sealed((draft) => Object.assign(fieldsIn(bodyOf(draft, 8), 'vote'), { via: 'cli' })),
  },
  {
    name: 'other words in a comment',
    code: 'remark-forged',
    at: 6,
    change: sealed((draft) => Object.assign(fieldsIn(fieldsIn(bodyOf(draft, 6), 'remark'), 'remark'), { text: 'It is fine.' })),
  },
  {
    name: 'a vote that was taken out',
    code: 'decision-unproven',
    at: 9,
    change: sealed((draft) => {
      must(draft.content.records[7]).record.kind = 'vote.refused';
    }),
  },
  {
    name: 'a question that was changed after the votes',
    code: 'decision-unproven',
    at: 9,
    change: sealed((draft) => Object.assign(fieldsIn(bodyOf(draft, 5), 'question'), { onSilence: 'It is deleted.' })),
  },
  {
    name: 'one person where two are needed',
    code: 'decision-unproven',
    at: 9,
    change: sealed((draft) => Object.assign(bodyOf(draft, 9), { by: ['ada', 'ada'] })),
  },
  {
    name: 'a manifest that no record names',
    code: 'manifest-unnamed',
    at: 0,
    change: exported(({ content: { evidence } }) => Object.assign(must(evidence[0]).manifest, { step: 'another' })),
  },
  {
    name: 'a manifest of another run',
    code: 'manifest-foreign',
    at: 0,
    change: sealed((draft) => renamed(draft, { run: 'another' })),
  },
  {
    name: 'a manifest that was changed, and the records with it',
    code: 'manifest-forged',
    at: 0,
    change: sealed((draft) => renamed(draft, { createdAt: '2026-03-01T09:00:00.000Z' })),
  },
  {
    name: 'a custody list with an entry less',
    code: 'custody-broken',
    at: 0,
    change: sealed((draft) => {
      const { manifest } = must(draft.content.evidence[0]);
      const custody = Array.isArray(manifest.custody) ? manifest.custody.slice(1) : [];
      const { signature: _, ...unsigned }: Record<string, unknown> = { ...manifest, custody };
      renamed(draft, { custody, ...signedWithKeyOf('evidence', bytesOf('firebreak.evidence-manifest.v1', unsigned)) });
    }),
  },
  {
    name: 'another artefact',
    code: 'artefact-changed',
    at: 0,
    change: exported((draft) => {
      must(draft.content.artefacts[0]).data = Buffer.from('kind: Nothing').toString('base64');
    }),
  },
];

/** A manifest with other fields, under its new address also in the records. */
function renamed({ content }: Draft, fields: Readonly<Record<string, unknown>>): void {
  const one = must(content.evidence[0]);
  const before = one.sha256;
  Object.assign(one.manifest, fields);
  one.sha256 = digestOf(one.manifest);
  content.records = JSON.parse(JSON.stringify(content.records).replaceAll(before, one.sha256));
}

/** Numbers that look drawn, the same for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % sides;
  };
}

type Place = { readonly of: unknown[] | Record<string, unknown>; readonly name: string };

function placesIn(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const name of Object.keys(value)) {
    found.push({ of: value as Place['of'], name });
    placesIn(Reflect.get(value, name), found);
  }
  return found;
}

/** One random change of any value in it: taken out, doubled, exchanged with another, moved a little. */
function changeSomething(draft: Draft, roll: (sides: number) => number): void {
  const places = placesIn(draft);
  const { of, name } = must(places[roll(places.length)]);
  const value: unknown = Reflect.get(of, name);
  const other = must(places[roll(places.length)]);
  const changes: readonly (() => unknown)[] = [
    () => (Array.isArray(of) ? of.splice(Number(name), 1) : Reflect.deleteProperty(of, name)),
    () => (Array.isArray(of) ? of.splice(roll(of.length + 1), 0, structuredClone(value)) : Reflect.set(of, `${name}2`, value)),
    () => Array.isArray(of) && of.reverse(),
    () => Reflect.set(of, name, structuredClone(Reflect.get(other.of, other.name))),
    () => Reflect.set(of, name, nudged(value, roll)),
    () => Reflect.set(of, name, [null, true, 0, -1, 1.5, 1e21, '', [], {}][roll(9)]),
  ];
  must(changes[roll(changes.length)])();
}

function nudged(value: unknown, roll: (sides: number) => number): unknown {
  if (typeof value === 'number') return value + (roll(2) === 0 ? 1 : -0.5);
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string' || value === '') return value;
  const at = roll(value.length);
  const character = '0123456789abcdefXYZ +/=\u0000\ud800é'[roll(26)] ?? '0';
  return `${value.slice(0, at)}${character}${value.slice(at + 1)}`;
}

interface MutatedFile {
  readonly file: Uint8Array;
  /** Whoever can have made it: somebody with no key, who exports with their own, or a cell and a notary that lie. */
  readonly by: 'anybody' | 'exporter' | 'everybody';
}

/** A mutated file: bytes, or values with none, some or all of the signatures made anew. Deterministic. */
export function mutatedFile(bundle: Bundle, seed: number): MutatedFile {
  const roll = dice(seed);
  const draft = draftOf(bundle);
  const kind = roll(10);
  if (kind === 0) return { by: 'anybody', file: mutatedBytes(Buffer.from(canonicalJson(bundle)), roll) };
  const by = kind < 4 && kind > 1 ? 'anybody' : kind > 6 || kind === 1 ? 'everybody' : 'exporter';
  if (kind === 1) must(namedMutations[roll(namedMutations.length)]).change(draft);
  else for (let times = 1 + roll(2); times > 0; times -= 1) changeSomething(kind < 4 ? draft : draftIn(draft), roll);
  try {
    if (kind > 6) sealAgain(draft);
    if (kind > 3) exportAgain(draft);
    return { by, file: Buffer.from(canonicalJson(draft)) };
  } catch {
    // What has no canonical form, or no records to sign, is written as it is.
    return { by, file: Buffer.from(JSON.stringify(draft)) };
  }
}

/** Of what its exporter signs anew, the content is of interest. */
function draftIn(draft: Draft): Draft {
  return Object.defineProperty({ ...draft }, 'export', { enumerable: false });
}

function mutatedBytes(bytes: Buffer, roll: (sides: number) => number): Uint8Array {
  const at = roll(bytes.length);
  const byte = Buffer.of(roll(256));
  const after = at + (roll(3) === 0 ? 0 : 1);
  const mutated = Buffer.concat([bytes.subarray(0, at), roll(3) === 0 ? Buffer.of() : byte, bytes.subarray(after)]);
  // A line is a file to the other verifier.
  return mutated.map((one) => (one === 10 ? 32 : one));
}

const verifier = join(import.meta.dirname, '../../docs/spec/verify.py');

/** Why the other verifier cannot run here; undefined where it can. */
export function withoutPython(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import cryptography'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'no python3 with the package cryptography (apt-get install python3-cryptography)';
}

/** What the verifier in Python says of one file, by a list of trusted keys. */
export function pythonVerdict(file: string, keys: string): BundleVerdict {
  return JSON.parse(spawnSync('python3', [verifier, file, '--trust', keys], { encoding: 'utf8' }).stdout);
}

/** What it says of each. */
export function pythonVerdicts(files: readonly Uint8Array[]): readonly BundleVerdict[] {
  const input = Buffer.concat(files.flatMap((file) => [file, Buffer.from('\n')]));
  const { status, stdout, stderr } = spawnSync('python3', [verifier, '-'], { input, encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
