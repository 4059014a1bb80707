import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PEM texts: the notary's private key if the desk is to sign. */
interface DeskKeys {
  readonly notary?: string;
  readonly notaryPublic: string;
  readonly cell: string;
  readonly desk: string;
}

/** Writes the configuration of a desk with a bench's keys, and its environment; returns the file's path. */
export function writeDeskConfiguration(options: {
  readonly folder: string;
  readonly url: string;
  readonly keys: DeskKeys;
}): string {
  const { folder, url, keys } = options;
  const files = { 'notary.pem': keys.notary, 'notary.pem.pub': keys.notaryPublic, 'cell.pem': keys.cell, 'desk.pem': keys.desk };
  for (const [name, text] of Object.entries(files)) if (text) writeFileSync(join(folder, name), text, { mode: 0o600 });
  const file = join(folder, 'firebreak.yaml');
  writeFileSync(
    file,
    `cluster: c
stateDir: .
audit: { url: { env: BENCH_DATABASE }, notaryKeyFile: notary.pem }
intake: { tokens: [{ name: falco, token: { env: TOKEN } }] }
trust: { cells: [{ cluster: c, key: cell.pem }] }
desk: { votePublicKeys: [desk.pem] }
roster:
  people: [{ id: ana, name: Ana, keys: [cell.pem] }]
  groups: { oncall: [ana], leads: [ana] }
`,
  );
  Object.assign(process.env, { BENCH_DATABASE: url, TOKEN: 'of-nobody' });
  return file;
}
