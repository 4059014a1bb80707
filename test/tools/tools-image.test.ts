import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { findOnPath, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { makeToolsImage, toolsConfig } from '../../tools/image/tools-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-tools-image-'));
afterAll(() => rmSync(folder, { recursive: true }));

(findOnPath('go') ? test : test.skip)(
  'the image of the tools has their two programs and nothing else, and is the same bytes when it is made again',
  async () => {
    const order = {
      architectures: [arch() === 'arm64' ? 'arm64' : 'amd64'],
      repository: 'example.com/tools',
      onProgress: () => {},
    } as const;
    const image = await makeToolsImage({ ...order, folder: join(folder, 'first') });
    const again = await makeToolsImage({ ...order, folder: join(folder, 'second') });
    expect(again.digest).toBe(image.digest);
    expect(readFileSync(again.file).equals(readFileSync(image.file))).toBe(true);
    expect(image.name).toMatch(/^example\.com\/tools:\d/);
    const run = async (...args: readonly string[]): Promise<string> =>
      (await runCommand({ command: 'tar', args: [...args, '-C', folder] })).stdout;
    await run('-xf', image.file);
    const blob = (digest: string): string => join(folder, 'blobs', 'sha256', digest.replace('sha256:', ''));
    const { layers } = JSON.parse(readFileSync(blob(image.digest), 'utf8'));
    expect(layers).toHaveLength(1);
    const files = await run('-tzf', blob(layers[0].digest));
    expect(files.split('\n').sort()).toEqual(['', './', './firebreak-cut', './firebreak-tools']);
  },
);

test('Docker starts it the way `npm run image -- --tools` sets it up, with the same programs', () => {
  const dockerfile = readFileSync(join(projectRoot(), 'deploy/forensics/Dockerfile'), 'utf8').split('FROM scratch')[1] ?? '';
  const { Entrypoint, Cmd } = toolsConfig('1.2.3');
  expect(dockerfile).toContain(`ENTRYPOINT ${JSON.stringify(Entrypoint)}`);
  expect(dockerfile).toContain(`CMD ${JSON.stringify(Cmd)}`);
  expect(dockerfile).toContain('/firebreak-tools /firebreak-cut /');
});
