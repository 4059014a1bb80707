import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Bundle } from '../../../core/bundle/bundle.ts';
import { type IntactBundle, readBundle, verifyBundle } from '../../../core/bundle/verify-bundle.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { draftOf, namedMutations } from '../../suites/bundle-mutations.ts';
import { sampleBundle } from '../../suites/incident-bundle.ts';
import { pythonVerdicts, withoutPython } from '../../suites/python-verifier.ts';
import { mutatedFile } from '../../suites/random-bundles.ts';
import { bundleVectors } from './record-vectors.ts';

let bundle: Bundle;
const fileOf = (value: unknown): Uint8Array => Buffer.from(canonicalJson(value));
beforeAll(async () => {
  bundle = await sampleBundle();
});

describe('a bundle', () => {
  test('is intact as exported, and says what is covered, until when, and by whose keys', async () => {
    const verdict = await verifyBundle(fileOf(bundle));
    expect(verdict).toMatchObject({
      ...{ ok: true, records: 12, removed: [11], covered: 12, closed: true, compared: false, missingManifests: [] },
      lastCheckpoint: { number: 4, at: '2026-03-01T10:13:00.000Z' },
      exported: { person: 'ada' },
    });
    // Keys that signed nothing of it are not in it, and neither are other incidents.
    expect((verdict as IntactBundle).keys.map(({ of }) => of)).toEqual([
      'cell/prod-eu',
      'desk',
      'notary',
      'evidence',
      'person/ada',
      'person/mia',
    ]);
    expect(canonicalJson(bundle)).not.toContain('Deployment/web');
    expect(canonicalJson(bundle)).not.toContain('Otto');
  });

  test('is believed only with keys that the reader trusts, if they name any', async () => {
    const { keys } = (await verifyBundle(fileOf(bundle))) as IntactBundle;
    expect(await verifyBundle(fileOf(bundle), keys)).toMatchObject({ ok: true, compared: true });
    expect(await verifyBundle(fileOf(bundle), keys.slice(0, 2))).toMatchObject({ ok: false, code: 'key-not-trusted', at: 2 });
  });

  test.each(namedMutations)('with $name is refused ($code)', async ({ code, at, change }) => {
    const draft = draftOf(bundle);
    change(draft);
    const verdict = await verifyBundle(fileOf(draft));
    expect(verdict).toMatchObject({ ok: false, code, ...(at !== undefined && { at }) });
  });

  test('that passes after changes by somebody without a cell’s key has its records unchanged, perhaps fewer, and nothing new', async () => {
    const known = new Set(
      [...bundle.content.records, ...bundle.content.checkpoints, ...bundle.content.evidence].map(canonicalJson),
    );
    let passed = 0;
    for (let seed = 0; seed < 300; seed += 1) {
      const { by, file } = mutatedFile(bundle, seed);
      if (by === 'everybody' || !(await verifyBundle(file)).ok) continue;
      const content = readBundle(file)?.content;
      if (!content) throw new Error('it was read before');
      passed += 1;
      expect(content.records).toEqual(bundle.content.records.slice(0, content.records.length));
      for (const one of [...content.records, ...content.checkpoints, ...content.evidence])
        expect(known.has(canonicalJson(one))).toBe(true);
    }
    expect(passed).toBeGreaterThan(0);
  });

  test('in a page is read exactly as it is written there', async () => {
    const inPage = canonicalJson(bundle).replaceAll('<', '\\u003c');
    const page = `<!DOCTYPE html>\n<title>x</title><script id="bundle" type="application/json">${inPage}</script>`;
    expect(await verifyBundle(Buffer.from(page))).toMatchObject({ ok: true });
    expect(await verifyBundle(Buffer.from('<!doctype html>'))).toMatchObject({ code: 'form' });
    expect(await verifyBundle(Buffer.from(page.slice(0, -10)))).toMatchObject({ code: 'form' });
    // A reader that takes the first of two equal names would read something else.
    const twice = page.replace('"madeBy":', '"madeBy":"somebody","madeBy":');
    expect(await verifyBundle(Buffer.from(twice))).toMatchObject({ code: 'form' });
    expect(await verifyBundle(Buffer.from(page.replace('{"content"', '{ "content"')))).toMatchObject({ code: 'form' });
    expect(await verifyBundle(Buffer.from(page.replace(inPage, canonicalJson(bundle))))).toMatchObject({ code: 'form' });
  });

  test('has the test vectors of the specification', async () => {
    const stored = readFileSync(join(import.meta.dirname, '../../../docs/spec/vectors.json'), 'utf8');
    expect(JSON.parse(stored)).toEqual(JSON.parse(await bundleVectors()));
  });
});

const why = withoutPython();
if (why !== undefined) console.warn(`skipped: ${why}`);
const withPython = why === undefined ? describe : describe.skip;

withPython('the verifier in Python', () => {
  test('agrees on every named change, and on 150 random ones', async () => {
    const named = namedMutations.map(({ change }) => {
      const draft = draftOf(bundle);
      change(draft);
      return fileOf(draft);
    });
    const files = [fileOf(bundle), ...named, ...Array.from({ length: 150 }, (_, seed) => mutatedFile(bundle, seed).file)];
    const ours = await Promise.all(files.map((file) => verifyBundle(file)));
    expect(await pythonVerdicts(files)).toEqual(ours);
  });
});
