import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AuditRecord, genesisHash, recordBytes, recordHash, storable, storedRecord } from '../../../core/audit/audit.ts';
import { canonicalJson } from '../../../core/text/digest.ts';

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
      expect(Buffer.from(recordBytes(read)).toString()).toBe(Buffer.from(recordBytes(made)).toString());
      const of = { keyId: '0123456789abcdef', signature: signature.toWellFormed() };
      expect(recordHash({ record: read, ...of }, genesisHash)).toBe(recordHash({ record: made, ...of }, genesisHash));
    }),
  );
});
