import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import type { Command } from 'commander';
import type { SeverityOverrides } from '../../core/sensor.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { sensors } from '../../integrations/sensors/index.ts';
import { loadConfig } from '../config/load.ts';
import { type Parsed, type ParsedItem, parseAlerts } from '../intake/parse.ts';
import { registerRejectedCommands } from './rejected.ts';
import { registerStormCommand } from './storm.ts';

interface ParseOptions {
  readonly cluster: string;
  readonly sensor?: string;
  readonly config?: string;
}

const largestFile = 1024 ** 3;
const atOnce = 2 * 1024 ** 2;

/** What a folder is searched for; a file that is named is read whatever it is called. */
const alertFile = /\.(?:json|jsonl|ndjson|log)(?:\.gz)?$/i;

/** `firebreak alerts parse FILE…`: what the intake would make of a file, without sending it anywhere. */
export function registerAlertsCommand(program: Command): void {
  const alerts = program.command('alerts').description('alerts as the sensors send them');
  alerts
    .command('parse')
    .description('print the normalised alerts of files as JSON, one a line; what is no alert is told on standard error')
    .argument('[paths...]', 'files, or folders of .json, .jsonl, .ndjson and .log files; - or nothing for standard input')
    .option('--sensor <name>', `whose alerts they are, instead of detecting it: ${sensors.map(({ name }) => name).join(', ')}`)
    .option('--cluster <name>', 'the cluster that the alerts are about', 'local')
    .option('--config <file>', 'configuration file whose severities count (default: those of the sensors)')
    .option('--json', 'JSON is what this prints anyway')
    .addHelpText(
      'after',
      '\nExamples:\n  $ firebreak alerts parse alert.json\n  $ firebreak alerts parse alerts/\n  $ kubectl logs ds/falco | firebreak alerts parse -',
    )
    .action(async (paths: readonly string[], options: ParseOptions) => {
      const severities = options.config === undefined ? {} : loadConfig({ path: options.config, env: process.env }).sensors;
      for (const path of paths.length === 0 ? ['-'] : paths) {
        if (!(await printPath(path, options, severities))) process.exitCode = 1;
      }
    });
  registerRejectedCommands(alerts);
  registerStormCommand(alerts);
}

async function printPath(path: string, options: ParseOptions, severities: SeverityOverrides): Promise<boolean> {
  try {
    const files = path !== '-' && (await stat(path)).isDirectory() ? await filesIn(path) : [path];
    if (files.length === 0) return complain(path, 'holds no .json, .jsonl, .ndjson or .log file');
    let allGood = true;
    for (const file of files) allGood = (await printFile(file, options, severities)) && allGood;
    return allGood;
  } catch (error) {
    const code = systemErrorCode(error);
    return complain(path, code === undefined ? 'cannot be read' : `cannot be read: ${code}`);
  }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && alertFile.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function printFile(
  file: string,
  { cluster, sensor: named }: ParseOptions,
  severities: SeverityOverrides,
): Promise<boolean> {
  const sensor = sensors.find(({ name }) => name === named);
  if (named !== undefined && sensor === undefined) return complain(file, `no sensor is called ${named}`);
  const packed = file === '-' ? await buffer(process.stdin) : await readFile(file);
  // By its first two bytes (RFC 1952), whatever the name.
  const bytes = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed, { maxOutputLength: largestFile }) : packed;
  const read = (part: Uint8Array): Parsed => parseAlerts(part, { cluster, severities, ...(sensor && { sensor }) });
  const whole = read(bytes);
  const parts = whole.ok || whole.status !== 413 ? [whole] : linesOf(bytes).map(read);
  let count = 0;
  let allGood = true;
  for (const parsed of parts) {
    if (!parsed.ok) allGood = complain(file, parsed.reason);
    else for (const item of parsed.items) allGood = printItem(item, `${file}: item ${++count}`) && allGood;
  }
  return allGood;
}

/** A log is longer than any body that a sensor sends: it is read some lines at a time. */
function linesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.lastIndexOf(0x0a, start + atOnce);
    const end = newline < start || bytes.length - start <= atOnce ? bytes.length : newline + 1;
    parts.push(bytes.subarray(start, end));
    start = end;
  }
  return parts;
}

/** False only for what could not be read: that a sensor speaks of itself is no fault. */
function printItem(item: ParsedItem, where: string): boolean {
  if (item.kind === 'alert') {
    process.stdout.write(`${withRaw(item)}\n`);
    return true;
  }
  if (item.kind === 'rejected') return complain(where, item.reason);
  complain(where, item.kind === 'health' ? `no alert, the sensor speaks of itself: ${item.text}` : `no alert: ${item.reason}`);
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

/** On one line, without what a terminal would take for a command: the text may be the attacker's. */
function complain(where: string, reason: string): false {
  process.stderr.write(`${where}: ${reason.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')}\n`);
  return false;
}
