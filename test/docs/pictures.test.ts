import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { imagesFolder, pictured, screenNames, screens } from '../browser/pictures.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const expected = Object.entries(pictured).flatMap(([kind, names]) =>
  names.flatMap((name) => screenNames.map((screen) => ({ screen, file: `${kind}-${name}-${screen}.webp` }))),
);

/** RFC 9649: in the extended format (section 2.7), or in its only chunk (2.5). */
function sizeOf(file: string): { readonly width: number; readonly height: number } {
  const bytes = readFileSync(join(imagesFolder, file));
  const chunk = bytes.toString('latin1', 12, 16);
  if (chunk === 'VP8X') return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
  expect({ file, chunk }).toEqual({ file, chunk: 'VP8 ' });
  return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
}

describe('the pictures of pages and cards', () => {
  const inTree = readdirSync(imagesFolder).filter((name) => name.endsWith('.webp'));

  test('exist at both widths, in light and in dark, and there are no others', () => {
    expect(inTree.toSorted()).toEqual(expected.map(({ file }) => file).toSorted());
  });

  test('of the console are as wide as the screens', () => {
    for (const { file, screen } of expected.filter(({ file: name }) => name.startsWith('console-'))) {
      const { viewport, deviceScaleFactor } = screens[screen];
      expect({ file, ...sizeOf(file) }).toEqual({
        file,
        width: viewport.width * deviceScaleFactor,
        height: viewport.height * deviceScaleFactor,
      });
    }
  });

  test('cover every page of the console', () => {
    const paths = [...read('console/main.tsx').matchAll(/from '\.\/pages\/(\w+)\.tsx'/g)].map(([, name]) => name);
    expect(paths.length).toBeGreaterThan(3);
    expect(paths.filter((name) => !pictured.console.some((one) => one === name))).toEqual([]);
  });
});
