/** Installs a part that takes a moment, as two processes of a test do at the same time. With `writing`, a program keeps writing into it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedPart } from '../../service/parts/cache.ts';

const [, , milliseconds, writing] = process.argv;
const folder = await cachedPart({
  name: 'part',
  version: '1.0',
  source: 'a test',
  onProgress: () => {},
  install: async (draft, run) => {
    process.stdout.write('installing\n');
    if (writing) {
      // Without stderr, since the end of the pipe would end it.
      const write =
        'exec 2>/dev/null; n=0; while :; do n=$((n + 1)); mkdir -p "$1/$n"; echo "$n" > "$1/$n/file"; echo "$n" > "$TMPDIR/$n"; done';
      await run({ command: '/bin/sh', args: ['-c', `(${write}) & ${write}`, 'sh', draft] });
    }
    await sleep(Number(milliseconds));
    writeFileSync(join(draft, 'program'), 'whole');
  },
});
process.stdout.write(`${folder}\n`);
