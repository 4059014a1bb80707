import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { SeverityOverrides } from '../../core/sensor.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { sensors } from '../../integrations/sensors/index.ts';
import { loadConfig } from '../config/load.ts';
import { type Parsed, type ParsedItem, parseAlerts } from '../intake/parse.ts';
import { bytesOf, inPieces, partsOf } from './alert-file.ts';
import { registerRejectedCommands } from './rejected.ts';
import { registerStormCommand } from './storm.ts';

interface ParseOptions {
  readonly cluster: string;
  readonly sensor?: string;
  readonly config?: string;
}

/** What a folder is searched for; a file that is named is read whatever it is called. */
const alertFile = /\.(?:json|jsonl|ndjson|log)(?:\.gz)?$/i;

/** No text has a byte 0 so early. */
const looksAt = 8_192;

/** `firebreak alerts parse FILE…`: what the intake would make of a file, without sending it anywhere. */
export function registerAlertsCommand(program: Command): void {
  const alerts = program.command('alerts').description('alerts as the sensors send them');
  alerts
    .command('parse')
    .description('print the normalised alerts of files as JSON, one a line; what is no alert is told on standard error')
    .argument('[paths...]', 'files, or folders of .json, .jsonl, .ndjson and .log files; - or nothing for standard input')
    .addOption(
      new Option('--sensor <name>', 'whose alerts they are, instead of detecting it').choices(sensors.map(({ name }) => name)),
    )
    .option('--cluster <name>', 'the cluster that the alerts are about', 'local')
    .option('--config <file>', 'configuration file whose severities count (default: those of the sensors)')
    .option('--json', 'JSON is what this prints anyway')
    .addHelpText(
      'after',
      '\nExamples:\n  $ firebreak alerts parse alert.json\n  $ firebreak alerts parse alerts/\n  $ kubectl logs -f ds/falco | firebreak alerts parse\n\nExit code 1 where something could not be read. What a sensor says of itself, and what is no alert, is no fault.',
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
  let files: readonly string[];
  try {
    files = path !== '-' && (await stat(path)).isDirectory() ? await filesIn(path) : [path];
  } catch (error) {
    return cannotRead(path, error);
  }
  if (files.length === 0) return complain(path, 'holds no .json, .jsonl, .ndjson or .log file');
  let allGood = true;
  // One file that cannot be read must not take the others with it.
  for (const file of files) allGood = (await printFile(file, options, severities)) && allGood;
  return allGood;
}

function cannotRead(path: string, error: unknown): false {
  const code = systemErrorCode(error);
  if (code?.startsWith('Z_')) return complain(nameOf(path), `is packed, and cannot be unpacked: ${code}`);
  return complain(nameOf(path), code === undefined ? 'cannot be read' : `cannot be read: ${code}`);
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
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
  const read = (part: Uint8Array): Parsed => parseAlerts(part, { cluster, severities, ...(sensor && { sensor }) });
  let count = 0;
  let parts = 0;
  let allGood = true;
  const printParsed = (parsed: Parsed): void => {
    if (!parsed.ok) allGood = complain(nameOf(file), parsed.reason);
    else for (const item of parsed.items) allGood = printItem(item, `${nameOf(file)}: item ${++count}`) && allGood;
  };
  try {
    for await (const part of partsOf(bytesOf(file), { live: file === '-' })) {
      if (++parts === 1 && part.subarray(0, looksAt).includes(0))
        return complain(nameOf(file), 'holds bytes that are no text: not read');
      const whole = read(part);
      if (whole.ok || whole.status !== 413) printParsed(whole);
      else for (const piece of inPieces(part)) printParsed(read(piece));
    }
  } catch (error) {
    return cannotRead(file, error);
  }
  return parts === 0 ? complain(nameOf(file), 'is empty') : allGood;
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
