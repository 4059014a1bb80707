/** Installs a part that takes a moment, as two processes of a test do at the same time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedPart } from '../../tools/platform/cache.ts';

const folder = await cachedPart({
  name: 'part-1.0',
  onProgress: () => {},
  install: async (draft) => {
    process.stdout.write('installing\n');
    await sleep(Number(process.argv[2]));
    writeFileSync(join(draft, 'program'), 'whole');
  },
});
process.stdout.write(`${folder}\n`);
