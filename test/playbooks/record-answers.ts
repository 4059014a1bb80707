/** Writes what each answer of the shipped playbooks comes to: `node test/playbooks/record-answers.ts`. Read the diff: it is what is agreed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playbooks } from '../../playbooks/index.ts';
import { waysInto } from './shipped-alerts.ts';
import { answersOf } from './shipped-answers.ts';

const agreed: Record<string, readonly (readonly string[])[]> = {};
for (const [name, alerts] of Object.entries(waysInto)) {
  const playbook = playbooks.find(({ id }) => id.endsWith(`/${name}`));
  if (!playbook) throw new Error(`there is no ${name}`);
  const lines: (readonly string[])[] = [];
  for (const alert of alerts) {
    const { problems, lines: all } = await answersOf(playbook, alert);
    for (const problem of problems) console.error(`${name} on “${alert.rule}”: ${problem}`);
    lines.push(all);
  }
  agreed[name] = lines;
}
writeFileSync(join(import.meta.dirname, '..', 'fixtures', 'shipped-answers.json'), `${JSON.stringify(agreed, null, 2)}\n`);
