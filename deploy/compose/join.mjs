/** `node join.mjs FOLDER FILE`: joins firebreak.yaml of FOLDER and the parts for COMPOSE_PROFILES into one configuration. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const parts = ['postgres', 's3', 'slack'];
const [folder, file] = process.argv.slice(2);
const profiles = (process.env.COMPOSE_PROFILES ?? '').split(',').map((profile) => profile.trim());
const wanted = parts.filter((part) => profiles.includes(part) || profiles.includes('*'));
const people = wanted.includes('slack') ? [] : ['people'];
writeFileSync(
  file,
  ['firebreak', ...people, ...wanted].map((part) => readFileSync(join(folder, `${part}.yaml`), 'utf8')).join('\n'),
);
console.log(`Firebreak is running with ${wanted.join(', ') || 'SQLite, a folder, and no Slack'}`);
