import { type Command, Option } from 'commander';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { configToUse } from '../../config/left-out.ts';
import { type ProvenWouldHave, readWouldHave } from '../../incidents/would-have.ts';
import { openAuditTrust } from '../../records/audit-trust.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable, styled } from '../output.ts';
import { existingAuditUrl, leftOutText } from './audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface WouldHaveOptions extends ConfiguredOptions, RetiredKeysOption {
  /** Milliseconds. */
  readonly since: number;
}

const weekMs = 7 * 86_400_000;
const mostListed = 20;

/** Adds `firebreak report would-have`: what mode `contain` would have done, and whether the numbers say that it can be turned on. */
export function registerWouldHaveCommand(report: Command, spanMs: (text: string) => number): void {
  const command = report
    .command('would-have')
    .description(
      'show what mode contain would have done in modes observe and ask, how people judged it, and which namespaces are ready for the next mode',
    )
    .addOption(new Option('--since <span>', 'incidents of the last hours, days or weeks').argParser(spanMs).default(weekMs, '7d'))
    .addOption(retiredKeyOption());
  withExamples(withConfig(command), ['firebreak report would-have', 'firebreak report would-have --since 4w --json']).action(
    async ({ config: path, since: span, retiredKey, json }: WouldHaveOptions) => {
      const config = configToUse(path);
      const { trust } = await openAuditTrust(config, retiredKey ?? []);
      const database = await openDatabase({ url: existingAuditUrl(config) });
      try {
        const until = Date.now();
        const store = createAuditStore(database);
        const found = await readWouldHave({
          store,
          trust,
          period: { since: until - span, until },
        });
        if (json) printJson(found);
        else printWouldHave(found);
      } finally {
        await database.close();
      }
    },
  );
}

function printWouldHave({ since, until, rows, decisions, snippet, leftOut }: ProvenWouldHave): void {
  print(styled('dim', `${since} to ${until}`));
  const without = leftOutText(leftOut);
  if (without !== undefined) print(styled('yellow', without));
  if (rows.length === 0) {
    print('Nothing would have been contained or asked in modes observe and ask.');
    return;
  }
  printTable(rows, [
    { title: 'CONTAIN', text: ({ contain }) => String(contain) },
    { title: 'RIGHT', text: ({ right }) => String(right) },
    { title: 'WRONG', text: ({ wrong }) => String(wrong) },
    { title: 'NOT JUDGED', text: ({ open }) => String(open) },
    { title: 'HELD BACK', text: ({ heldBack }) => String(heldBack) },
    { title: 'ASK', text: ({ ask }) => String(ask) },
    { title: 'PAGES', text: ({ pages }) => String(pages) },
    { title: 'MODE', text: ({ mode }) => mode },
    { title: 'NAMESPACE', text: ({ namespace }) => printable(namespace ?? '-') },
    { title: 'CLUSTER', text: ({ cluster }) => printable(cluster) },
    { title: 'SCOPE', text: ({ scope }) => printable(scope) },
    { title: 'NEXT', text: ({ advice: { next, why } }) => printable(next === null ? `not yet: ${why}` : `${next}: ${why}`) },
  ]);
  print();
  const contained = decisions.filter(({ would }) => would === 'contain');
  for (const { at, namespace, pod, rule, judged, reasons } of contained.slice(0, mostListed)) {
    const said = judged === 'open' ? 'not judged' : judged;
    print(`${at} would have contained ${printable(`${namespace}/${pod}`)}: ${printable(rule)} (${said})`);
    for (const reason of reasons) print(`  - ${printable(reason)}`);
  }
  if (contained.length > mostListed) print(`… and ${contained.length - mostListed} more (--json lists all)`);
  if (snippet !== null) {
    print();
    print('Ready for the next mode:');
    print();
    print(snippet);
  }
}
