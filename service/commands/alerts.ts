import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { sensors } from '../../integrations/sensors/index.ts';
import { type Parsed, type ParsedItem, parseAlerts } from '../intake/parse.ts';

interface ParseOptions {
  readonly cluster: string;
  readonly sensor?: string;
}

/** `firebreak alerts parse FILE…`: what the intake would make of a file, without sending it anywhere. */
export function registerAlertsCommand(program: Command): void {
  const alerts = program.command('alerts').description('alerts as the sensors send them');
  alerts
    .command('parse')
    .description('print the normalised alerts of files as JSON, one a line (`-` reads standard input)')
    .argument('<files...>', 'files with one or more alerts; - for standard input')
    .option('--sensor <name>', `whose alerts they are, instead of detecting it: ${sensors.map(({ name }) => name).join(', ')}`)
    .option('--cluster <name>', 'the cluster that the alerts are about', 'local')
    .option('--json', 'JSON is what this prints anyway')
    .addHelpText(
      'after',
      '\nExamples:\n  $ firebreak alerts parse alert.json\n  $ kubectl logs ds/falco | firebreak alerts parse -',
    )
    .action(async (files: readonly string[], options: ParseOptions) => {
      for (const file of files) {
        if (!(await printFile(file, options))) process.exitCode = 1;
      }
    });
}

async function printFile(file: string, { cluster, sensor: named }: ParseOptions): Promise<boolean> {
  const sensor = sensors.find(({ name }) => name === named);
  if (named !== undefined && sensor === undefined) return complain(file, `no sensor is called ${named}`);
  let parsed: Parsed;
  try {
    const bytes = file === '-' ? Buffer.from(await text(process.stdin)) : await readFile(file);
    parsed = parseAlerts(bytes, { cluster, ...(sensor && { sensor }) });
  } catch (error) {
    return complain(file, error instanceof Error && 'code' in error ? `cannot be read: ${String(error.code)}` : 'cannot be read');
  }
  if (!parsed.ok) return complain(file, parsed.reason);
  const printed = parsed.items.map((item, index) => printItem(item, `${file}: item ${index + 1}`));
  return !printed.includes(false);
}

function printItem(item: ParsedItem, where: string): boolean {
  if (item.kind === 'rejected') return complain(where, item.reason);
  if (item.kind === 'health') return complain(where, `the sensor speaks of itself, this is no alert: ${item.text}`);
  if (item.kind === 'ignored') {
    complain(where, `no alert: ${item.reason}`);
    return true;
  }
  process.stdout.write(`${withRaw(item)}\n`);
  return true;
}

/** The alert with `raw`, which keeps its own text: a number beyond 2^53 would be rounded by parsing. */
function withRaw({ alert, raw }: Extract<ParsedItem, { readonly kind: 'alert' }>): string {
  return `${JSON.stringify(alert).slice(0, -1)},"raw":${onOneLine(new TextDecoder().decode(raw))}}`;
}

/** JSON without the blanks between its parts. */
function onOneLine(json: string): string {
  return json.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|\s+/gs, (_whole, quoted: string | undefined) => quoted ?? '');
}

function complain(where: string, reason: string): false {
  process.stderr.write(`${where}: ${reason}\n`);
  return false;
}
