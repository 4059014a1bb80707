/**
 * Records the outcome of each answer of the shipped playbooks, and what their pages show of it: `node test/playbooks/record-answers.ts`. Read the diff: it
 * becomes what is agreed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playbooks } from '../../playbooks/index.ts';
import { waysInto } from './shipped-alerts.ts';
import { answersOf } from './shipped-answers.ts';

const agreed: Record<string, readonly (readonly string[])[]> = {};
const pages: Record<string, readonly object[]> = {};
for (const [name, alerts] of Object.entries(waysInto)) {
  const playbook = playbooks.find(({ id }) => id.endsWith(`/${name}`));
  if (!playbook) throw new Error(`there is no ${name}`);
  const lines: (readonly string[])[] = [];
  const pictures: object[] = [];
  for (const alert of alerts) {
    const { problems, lines: all, shown } = await answersOf(playbook, alert);
    for (const problem of problems) console.error(`${name} on “${alert.rule}”: ${problem}`);
    lines.push(all);
    pictures.push(shown);
  }
  agreed[name] = lines;
  pages[name] = pictures;
}
const write = (file: string, content: object): void =>
  writeFileSync(join(import.meta.dirname, '..', 'fixtures', file), `${JSON.stringify(content, null, 2)}\n`);
write('shipped-answers.json', agreed);
write('shipped-pictures.json', pages);
