import { expect, test } from '@jest/globals';
import {
  type ImageCheck,
  imagesLine,
  signatureOfAlert,
  signatureText,
  withImages,
  worstSignature,
} from '../../../core/action/image-signature.ts';
import { placeOf } from '../../../core/cluster/image-reference.ts';

const check = (container: string, over: Partial<ImageCheck> = {}): ImageCheck => ({
  container,
  image: `shop/${container}:1`,
  signature: 'signed',
  by: ['ada'],
  attestations: [],
  ...over,
});

test('of several images an unsigned one decides, then an unknown one', () => {
  const of = (...signatures: readonly ImageCheck['signature'][]) =>
    worstSignature(signatures.map((signature) => ({ signature })));
  expect(of('signed', 'signed')).toBe('signed');
  expect(of('signed', 'unknown')).toBe('unknown');
  expect(of('unknown', 'unsigned', 'signed')).toBe('unsigned');
  expect(of()).toBe('unknown');
});

test('the text says who signed the image, or why that is unknown', () => {
  expect(signatureText(check('a', { by: ['ada', 'ben'] }))).toBe('signed by ada and ben');
  expect(signatureText(check('a', { signature: 'unsigned' }))).toBe('unsigned');
  expect(signatureText(check('a', { signature: 'unknown', reason: 'no answer' }))).toBe('unknown: no answer');
});

test('what an incident knows of its images fits on one line, which says when nothing was checked', () => {
  expect(imagesLine([])).toBe('Signatures of its images: not checked in this incident.');
  const checks = [check('a'), check('b', { signature: 'unsigned', reason: 'no signature is there' })];
  expect(imagesLine([...checks, ...checks])).toBe(
    'Signatures of its images: a signed by ada; b unsigned: no signature is there.',
  );
  expect(imagesLine([...'abcdef'].map((name) => check(name)))).toMatch(/ and more\.$/);
});

test('an incident remembers the last check of each container, for a limited number of containers', () => {
  const first = withImages([], 'uid-1', [check('a'), check('b')]);
  const later = withImages(first, 'uid-1', [check('a', { signature: 'unknown', reason: 'no answer' })]);
  expect(later).toMatchObject([
    { podUid: 'uid-1', container: 'b', signature: 'signed' },
    { podUid: 'uid-1', container: 'a', signature: 'unknown' },
  ]);
  let many = later;
  for (let pod = 0; pod < 100; pod += 1) many = withImages(many, `other-${pod}`, [check('a')]);
  expect(many).toHaveLength(50);
  const pod = { uid: 'uid-1' };
  expect(signatureOfAlert(later, { pod, container: { name: 'a' } })).toBe('unknown: no answer');
  expect(signatureOfAlert(later, { pod })).toBe('signed by ada; unknown: no answer');
  expect(signatureOfAlert(later, { pod: { uid: 'uid-2' } })).toBeUndefined();
});

test.each([
  ['cart', 'docker.io', 'library/cart'],
  ['shop/cart', 'docker.io', 'shop/cart'],
  ['docker.io/cart', 'docker.io', 'library/cart'],
  ['index.docker.io/shop/cart', 'docker.io', 'shop/cart'],
  ['registry.example.com/cart', 'registry.example.com', 'cart'],
  ['localhost:5000/shop/cart', 'localhost:5000', 'shop/cart'],
])('%s is in the registry %s as %s', (repository, host, path) => {
  expect(placeOf(repository)).toEqual({ host, path });
});
