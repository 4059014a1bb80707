import { genesisHash } from '../../core/audit/audit.ts';
import { leafHash, merkleRoot } from '../../core/audit/merkle.ts';
import type { Bundle } from '../../core/bundle/bundle.ts';
import type { BundleFault } from '../../core/bundle/verify-bundle.ts';
import { canonicalJson, digestOf } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { signedWithKeyOf } from './incident-bundle.ts';

type Mutable<T> = T extends string | number | boolean ? T : { -readonly [Name in keyof T]: Mutable<T[Name]> };
export type Draft = Mutable<Bundle>;

export const signedBytes = (prefix: string, value: unknown): Uint8Array => Buffer.from(`${prefix}\n${canonicalJson(value)}`);

export function draftOf(bundle: Bundle): Draft {
  return structuredClone(bundle) as Draft;
}

/** As a person who changed it first would have exported it. */
export function exportAgain({ content, export: signed }: Draft, person = 'person/ada'): void {
  signed.order.bundle = digestOf(content);
  signed.order.artefacts = content.artefacts.map(({ sha256 }) => sha256);
  Object.assign(signed, signedWithKeyOf(person, signedBytes('firebreak.order.v1', signed.order)));
}

/** As a lying cell with the help of a notary would have made it: all signatures, hashes and proofs are valid. */
export function sealAgain({ content }: Draft): void {
  let [previous, follows] = [genesisHash, genesisHash];
  for (const row of content.records) {
    if (row.said !== null) row.record.content = digestOf(row.said);
    const value = { ...row.record, follows };
    Object.assign(row, { follows }, signedWithKeyOf('cell/prod-eu', signedBytes('firebreak.record.v3', value)));
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
    Object.assign(one, signedWithKeyOf('notary', signedBytes('firebreak.checkpoint.v1', header)));
    before = digestOf({ header, keyId: one.keyId, signature: one.signature });
  }
}

export function must<T>(value: T | undefined): T {
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

/** At least one for each finding that a verifier can report. */
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
      Object.assign(row, signedWithKeyOf('desk', signedBytes('firebreak.record.v3', value)));
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
    name: 'an order to remove records, given for another cluster by its person',
    code: 'removal-forged',
    at: 1,
    change: exported(({ content: { removals } }) => {
      const one = must(removals[1]);
      one.order.cluster = 'prod-us';
      Object.assign(one, signedWithKeyOf(`person/${one.order.person}`, signedBytes('firebreak.order.v1', one.order)));
    }),
  },
  {
    name: 'two orders of one person, by a key and the one that replaced it',
    code: 'removal-unproven',
    at: 11,
    change: exported(({ content: { removals, keys } }) => {
      const [first, second] = [must(removals[0]), must(removals[1])];
      second.order.person = first.order.person;
      Object.assign(second, signedWithKeyOf('person/mia', signedBytes('firebreak.order.v1', second.order)));
      keys.push({ ...must(keys.find(({ of }) => of === 'person/mia')), of: `person/${first.order.person}` });
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
      Object.assign(one, signedWithKeyOf('notary', signedBytes('firebreak.checkpoint.v1', one.header)));
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
      renamed(draft, { custody, ...signedWithKeyOf('evidence', signedBytes('firebreak.evidence-manifest.v1', unsigned)) });
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

/** A manifest with other fields, under its new address, also in the records. */
function renamed({ content }: Draft, fields: Readonly<Record<string, unknown>>): void {
  const one = must(content.evidence[0]);
  const before = one.sha256;
  Object.assign(one.manifest, fields);
  one.sha256 = digestOf(one.manifest);
  content.records = JSON.parse(JSON.stringify(content.records).replaceAll(before, one.sha256));
}
