import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { SeverityOverrides } from '../../../core/alert/sensor.ts';
import { fileProblem, systemErrorCode } from '../../../core/system-error.ts';
import { sensors } from '../../../integrations/sensors/index.ts';
import { loadConfig } from '../../config/load.ts';
import { type Parsed, type ParsedItem, parseAlerts } from '../../intake/read/parse.ts';
import { Lines } from '../lines.ts';
import { bytesOf, partsOf, splitInHalf } from './alert-file.ts';
import { registerRejectedCommands } from './rejected.ts';
import { registerSendCommand } from './send.ts';
import { registerStormCommand } from './storm.ts';

interface ParseOptions {
  readonly cluster: string;
  readonly sensor?: string;
  readonly config?: string;
}

/** Files that are read in a folder; a file named explicitly is read whatever its name. */
const alertFile = /\.(?:json|jsonl|ndjson|log)(?:\.gz)?$/i;

/** Number of leading bytes checked for a 0: no text contains one so early. */
const looksAt = 8_192;

/** `firebreak alerts`: parses files, sends a sample, shows what was rejected. */
export function registerAlertsCommand(program: Command): void {
  const alerts = program.command('alerts').description('read, send and inspect alerts');
  alerts
    .command('parse')
    .description('print the normalised alerts of files as JSON lines; anything else is reported on standard error')
    .argument('[paths...]', 'files, or folders of .json, .jsonl, .ndjson and .log files; - or nothing for standard input')
    .addOption(
      new Option('--sensor <name>', 'the sensor that sent them, instead of detecting it').choices(
        sensors.map(({ name }) => name),
      ),
    )
    .option('--cluster <name>', 'the cluster that the alerts are about', 'local')
    .option('--config <file>', 'configuration file with the severities to use (default: those of the sensors)')
    .option('--json', 'accepted for consistency: the output is always JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ firebreak alerts parse alert.json\n  $ firebreak alerts parse alerts/\n  $ kubectl logs -f ds/falco | firebreak alerts parse\n\nExit code 1 if something could not be read. What a sensor reports about itself, and anything else that is not an alert, is not an error.',
    )
    .action(async (paths: readonly string[], options: ParseOptions) => {
      const severities = options.config === undefined ? {} : loadConfig({ path: options.config, env: process.env }).sensors;
      for (const path of paths.length === 0 ? ['-'] : paths) {
        if (!(await printPath(path, options, severities))) process.exitCode = 1;
      }
    });
  registerSendCommand(alerts);
  registerRejectedCommands(alerts);
  registerStormCommand(alerts);
}

async function printPath(path: string, options: ParseOptions, severities: SeverityOverrides): Promise<boolean> {
  const lines = new Lines({ out: process.stdout, error: process.stderr });
  let allGood = true;
  try {
    const files = path !== '-' && (await stat(path)).isDirectory() ? await filesIn(path) : [path];
    if (files.length === 0) {
      await complain(lines, path, 'contains no .json, .jsonl, .ndjson or .log file');
      allGood = false;
    }
    // One unreadable file must not stop the others.
    for (const file of files) allGood = (await printFile({ file, options, severities, lines })) && allGood;
  } catch (error) {
    await complain(lines, nameOf(path), whyUnread(error));
    allGood = false;
  }
  await lines.flush();
  return allGood;
}

function whyUnread(error: unknown): string {
  const code = systemErrorCode(error);
  if (code?.startsWith('Z_')) return `is compressed, and cannot be decompressed: ${code}`;
  return fileProblem(error);
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

interface Reading {
  readonly file: string;
  readonly options: ParseOptions;
  readonly severities: SeverityOverrides;
  readonly lines: Lines;
}

async function printFile({ file, options, severities, lines }: Reading): Promise<boolean> {
  const { cluster, sensor: named } = options;
  const sensor = sensors.find(({ name }) => name === named);
  const read = (part: Uint8Array): Parsed => parseAlerts(part, { cluster, severities, ...(sensor && { sensor }) });
  let count = 0;
  let parts = 0;
  let allGood = true;
  const printParsed = async (parsed: Parsed): Promise<void> => {
    if (!parsed.ok || parsed.items.some(({ kind }) => kind === 'rejected')) allGood = false;
    if (!parsed.ok) await complain(lines, nameOf(file), parsed.reason);
    else {
      for (const item of parsed.items) {
        count += 1;
        const wait =
          item.kind === 'alert' ? lines.add('out', withRaw(item)) : complain(lines, `${nameOf(file)}: item ${count}`, said(item));
        if (wait !== undefined) await wait;
      }
    }
    // What a pipe has delivered is shown before more arrives.
    await lines.flush();
  };
  // There may be more short lines than any body has: then they are parsed in groups.
  const printPart = async (part: Uint8Array): Promise<void> => {
    const parsed = read(part);
    const pieces = parsed.ok || parsed.status !== 413 ? [] : splitInHalf(part);
    if (pieces.length < 2) await printParsed(parsed);
    else for (const piece of pieces) await printPart(piece);
  };
  try {
    for await (const part of partsOf(bytesOf(file), { live: file === '-' })) {
      if (++parts === 1 && part.subarray(0, looksAt).includes(0)) {
        await complain(lines, nameOf(file), 'contains bytes that are not text: not read');
        return false;
      }
      await printPart(part);
    }
  } catch (error) {
    await complain(lines, nameOf(file), whyUnread(error));
    return false;
  }
  if (parts === 0) await complain(lines, nameOf(file), 'is empty');
  return parts > 0 && allGood;
}

/** Only unreadable input is an error: a sensor's message about itself is not. */
function said(item: Exclude<ParsedItem, { readonly kind: 'alert' }>): string {
  if (item.kind === 'rejected') return item.reason;
  return item.kind === 'health' ? `not an alert, the sensor reports about itself: ${item.text}` : `not an alert: ${item.reason}`;
}

const utf8 = new TextDecoder();

/** The alert with `raw` in its original text: parsing would round a number beyond 2^53. */
function withRaw({ alert, raw }: Extract<ParsedItem, { readonly kind: 'alert' }>): string {
  return `${JSON.stringify(alert).slice(0, -1)},"raw":${onOneLine(utf8.decode(raw))}}`;
}

/** Returns JSON without whitespace between its parts. */
export function onOneLine(json: string): string {
  let text = '';
  let from = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === 0x22) at = endOfQuoted(json, at);
    else if (code <= 0x20) {
      text += json.slice(from, at);
      from = at + 1;
    }
  }
  return text + json.slice(from);
}

/** The index of the quote that ends the string that begins at `from`. */
function endOfQuoted(json: string, from: number): number {
  let end = json.indexOf('"', from + 1);
  while (end > 0 && isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end < 0 ? json.length : end;
}

function isEscaped(json: string, at: number): boolean {
  let slashes = 0;
  while (json.charCodeAt(at - 1 - slashes) === 0x5c) slashes += 1;
  return slashes % 2 === 1;
}

/** Prints on one line, without characters that a terminal would interpret: the text may come from an attacker. */
function complain(lines: Lines, where: string, reason: string): Promise<void> | undefined {
  return lines.add('error', `${where}: ${reason.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')}`);
}
