import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type AuditRecord,
  genesisHash,
  recordBytes,
  recordHash,
  recordLink,
  storable,
  storedRecord,
} from '../../../core/audit/audit.ts';
import { canonicalJson, digestOf, sha256Hex } from '../../../core/text/digest.ts';

test('a record that was read with its text has the bytes and the hash that it was signed with', () => {
  const text = fc.string({ unit: 'binary' });
  const given: fc.Arbitrary<AuditRecord> = fc.record({
    ...{ chain: text, number: fc.nat(), at: text, kind: text, actor: text },
    body: fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<AuditRecord['body']>,
  });
  fc.assert(
    fc.property(given, text, (one, signature) => {
      const made = storable(one);
      const read = storedRecord({ ...made }, canonicalJson(made.body));
      const of = { keyId: '0123456789abcdef', follows: genesisHash, signature: signature.toWellFormed() };
      const bytes = [read, made].map((record) => Buffer.from(recordBytes({ record, ...of })).toString());
      expect(bytes[0]).toBe(bytes[1]);
      const value = { follows: genesisHash, record: sha256Hex(canonicalJson(made)) };
      expect(bytes[0]).toBe(`firebreak.record.v2\n${canonicalJson(value)}`);
      expect(recordLink({ record: read, ...of })).toBe(digestOf({ ...of, ...value }));
      expect(recordHash({ record: read, ...of }, genesisHash)).toBe(recordHash({ record: made, ...of }, genesisHash));
    }),
  );
});
