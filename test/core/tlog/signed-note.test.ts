import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { keyIdOf } from '../../../core/messages/signing.ts';
import { cosignedBy, isNoteSigned } from '../../../core/tlog/log-witness.ts';
import {
  cosignatureBytes,
  cosignedText,
  fromBase64,
  logHeadText,
  type Note,
  type NoteKey,
  noteKeyId,
  noteText,
  parseLogHead,
  parseNote,
  parseVerifierKey,
  pemOf,
  rawKeyOf,
  spkiOf,
  toHex,
  verifierKey,
} from '../../../core/tlog/signed-note.ts';
import { createVerifier, signerFrom } from '../../../integrations/keys/ed25519.ts';

/** The example from Go's own package for notes: made by another program. */
const foreign = {
  key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  note: `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`,
};
/** The example from C2SP's page on checkpoints. */
const sofa = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`;

const newSigner = () =>
  signerFrom({
    pem: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name: 'a key',
  });
const keyFrom = (publicKey: string, name: string, type: NoteKey['type']): NoteKey => ({
  ...{ name, type },
  publicKey: rawKeyOf(publicKey) ?? new Uint8Array(),
});

describe('signed notes', () => {
  test('of another program are read, checked and rewritten byte for byte', () => {
    const key = parseVerifierKey(foreign.key);
    const note = parseNote(foreign.note);
    if (!key || !note) throw new Error('it is not read');
    expect(verifierKey(key)).toBe(foreign.key);
    expect(rawKeyOf(pemOf(key))).toEqual(key.publicKey);
    const verifier = createVerifier({ publicKeys: [pemOf(key)] });
    expect(verifier.keyIds).toEqual([keyIdOf(spkiOf(key))]);
    expect(isNoteSigned(note, key, verifier)).toBe(true);
    expect(isNoteSigned({ ...note, text: note.text.replace('answer', 'question') }, key, verifier)).toBe(false);
    expect(isNoteSigned(note, { ...key, name: 'PeterNewman' }, verifier)).toBe(false);
    expect(noteText(note)).toBe(foreign.note);
  });

  test('of a log give its size', () => {
    const note = parseNote(sofa);
    const head = note && parseLogHead(note.text);
    expect(head).toEqual({
      origin: 'example.com/behind-the-sofa',
      size: 20_852_163,
      root: toHex(fromBase64('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=') ?? new Uint8Array()),
    });
    expect(head && logHeadText(head)).toBe(note?.text);
  });

  test.each([
    ['no signature', 'a\n\n'],
    ['no empty line', `a\n${sofa.split('\n\n')[1]}`],
    ['a control character', sofa.replace('example', 'exa\tmple')],
    ['a line that is not a signature', `${sofa}hello\n`],
    ['another dash', sofa.replace('—', '-')],
    ['bad Base64', sofa.replace('AYQ8=', 'AYQ9=')],
    ['no line feed at its end', sofa.trimEnd()],
    ['a plus sign in the name', sofa.replace('— example.com', '— exam+ple.com')],
    ['too many signatures', sofa + `${sofa.split('\n\n')[1]}`.repeat(40)],
  ])('with %s are invalid', (_, text) => {
    expect(parseNote(text)).toBeUndefined();
  });

  test.each([
    '',
    'a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'a\n1\nCsUYapGGPo4dkMgIAUqo\n',
    '\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nx\n',
    'a\n99999999999999999999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
  ])('are not of a log with the text %j', (text) => {
    expect(parseLogHead(text)).toBeUndefined();
  });

  test('cannot use a key with another key’s id', () => {
    expect(parseVerifierKey(foreign.key.replace('c74f20a3', 'c74f20a4'))).toBeUndefined();
    expect(parseVerifierKey(foreign.key.replace('+AR', '+BR'))).toBeUndefined();
    expect(parseVerifierKey('PeterNeumann')).toBeUndefined();
  });

  test('of a witness sign text and time, and are never mistaken for the log’s', async () => {
    const signer = newSigner();
    const witness = keyFrom(signer.publicKey, 'w.example', 'cosignature');
    const verifier = createVerifier({ publicKeys: [signer.publicKey] });
    const text = logHeadText({ origin: 'a log', size: 1, root: '0'.repeat(64) });
    const signature =
      fromBase64(await signer.sign(new TextEncoder().encode(cosignedText(text, 1_700_000_000)))) ?? new Uint8Array();
    const withTime = (seconds: number): Note => ({
      text,
      signatures: [{ name: witness.name, keyId: noteKeyId(witness), signature: cosignatureBytes(seconds, signature) }],
    });
    expect(cosignedBy(withTime(1_700_000_000), witness, verifier)?.seconds).toBe(1_700_000_000);
    expect(cosignedBy(withTime(1_700_000_001), witness, verifier)).toBeUndefined();
    expect(cosignedBy({ ...withTime(1_700_000_000), text: text.replace('1', '2') }, witness, verifier)).toBeUndefined();
    expect(isNoteSigned(withTime(1_700_000_000), { ...witness, type: 'note' }, verifier)).toBe(false);
  });
});
