import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type AuditRecord,
  genesisHash,
  recordBytes,
  recordHash,
  recordLink,
  removedRecord,
  storable,
  storedRecord,
} from '../../../core/audit/audit.ts';
import { canonicalJson, digestOf, sha256Hex } from '../../../core/text/digest.ts';

test('a record read along with its text has the bytes and hash that it was signed with', () => {
  const text = fc.string({ unit: 'binary' });
  const given: fc.Arbitrary<AuditRecord> = fc.record({
    ...{ chain: text, number: fc.nat(), at: text, kind: text, actor: text },
    body: fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<AuditRecord['body']>,
  });
  fc.assert(
    fc.property(given, text, (one, signature) => {
      const made = storable(one);
      const of = { keyId: '0123456789abcdef', follows: genesisHash, salt: 'ab'.repeat(16), signature: signature.toWellFormed() };
      const read = storedRecord({ ...made }, canonicalJson(made.body), of.salt);
      const bytes = [read, made].map((record) => Buffer.from(recordBytes({ record, ...of })).toString());
      expect(bytes[0]).toBe(bytes[1]);
      const { actor, body, ...where } = made;
      const content = sha256Hex(canonicalJson({ actor, body, salt: of.salt }));
      const value = { ...where, content, follows: genesisHash };
      expect(bytes[0]).toBe(`firebreak.record.v3\n${canonicalJson(value)}`);
      const { keyId, signature: signed } = of;
      expect(recordLink({ record: read, ...of })).toBe(digestOf({ ...value, keyId, signature: signed }));
      const removed = { record: removedRecord(where), ...of, salt: '', removed: content };
      expect(Buffer.from(recordBytes(removed)).toString()).toBe(bytes[0]);
      expect(recordLink(removed)).toBe(recordLink({ record: read, ...of }));
      expect(recordHash({ record: read, ...of }, genesisHash)).toBe(recordHash({ record: made, ...of }, genesisHash));
    }),
  );
});
