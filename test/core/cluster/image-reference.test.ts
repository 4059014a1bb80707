import { describe, expect, test } from '@jest/globals';
import { parseReference, spellingsOf } from '../../../core/cluster/image-reference.ts';

describe('an image reference', () => {
  test.each([
    ['nginx', { repository: 'nginx', tag: 'latest' }],
    ['registry:5000/shop/cart', { repository: 'registry:5000/shop/cart', tag: 'latest' }],
    ['registry:5000/shop/cart:1', { repository: 'registry:5000/shop/cart', tag: '1' }],
    ['shop/cart@sha256:ab', { repository: 'shop/cart', digest: 'sha256:ab' }],
    ['shop/cart:1@sha256:ab', { repository: 'shop/cart', tag: '1', digest: 'sha256:ab' }],
  ])('%s is parsed', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  test.each([
    ['registry.example/shop/cart:1', ['registry.example/shop/cart:1']],
    ['localhost/cart', ['localhost/cart:latest', 'localhost/cart']],
    ['shop/cart:1', ['shop/cart:1', 'docker.io/shop/cart:1', 'index.docker.io/shop/cart:1']],
    ['shop/cart@sha256:ab', []],
  ])('%s has exactly the spellings %j', (text, expected) => {
    expect(spellingsOf(parseReference(text))).toEqual(expected);
  });

  test('to Docker’s library is known by all its names', () => {
    const all = spellingsOf(parseReference('docker.io/library/nginx'));
    for (const text of ['nginx', 'nginx:latest', 'library/nginx', 'docker.io/nginx:latest', 'index.docker.io/library/nginx'])
      expect(all).toContain(text);
  });
});
