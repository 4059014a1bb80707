/** A process for the tests that uploads evidence, and is killed during the upload: `node killed-upload.ts OPTIONS`. */
import { randomBytes } from 'node:crypto';
import { createS3Store } from '../../../integrations/evidence/s3-store.ts';

async function* files(): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < 40; part += 1) yield randomBytes(1024 * 1024);
}

await createS3Store(JSON.parse(process.argv[2] ?? '{}')).put(files(), 'application/zstd');
