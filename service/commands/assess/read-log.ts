import { statSync } from 'node:fs';
import type { Alert } from '../../../core/alert/alert.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fileProblem } from '../../../core/system-error.ts';
import { parseAlerts } from '../../intake/read/parse.ts';
import { asFound, readNormalised } from '../../simulation/read-alerts.ts';
import { bytesOf, partsOf, splitInHalf } from '../alerts/alert-file.ts';
import { FalcoText } from './falco-text.ts';

/** An alert with its time, or a place that could not be read. */
export type LogItem =
  | { readonly kind: 'alert'; readonly alert: Alert; readonly atMs: number }
  | { readonly kind: 'broken'; readonly where: string; readonly reason: string };

const newline = 0x0a;
const utf8 = new TextDecoder();

/**
 * Reads the alerts of a sensor's log, in any format of the intake, plain or gzip, or as Falco's text. A broken line costs only itself.
 *
 * @throws FB_ERR_FILE_MISSING
 */
export async function* readLog(file: string): AsyncGenerator<LogItem> {
  const where = file === '-' ? 'standard input' : file;
  const texts = new FalcoText(file === '-' ? Date.now() : modifiedAt(file));
  let line = 1;
  try {
    for await (const part of partsOf(bytesOf(file), { live: false })) {
      yield* itemsOf(texts.asJson(part), { where, line });
      line += linesIn(part);
    }
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    // A cut-off gzip file: what came before counts.
    yield {
      kind: 'broken',
      where: `${where}, after line ${line}`,
      reason: error instanceof Error ? error.message : String(error),
    };
  }
}

function modifiedAt(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file}: ${fileProblem(error)}`);
  }
}

function* itemsOf(bytes: Uint8Array, at: { readonly where: string; readonly line: number }): Generator<LogItem> {
  const parsed = parseAlerts(bytes, { cluster: 'local' });
  if (!parsed.ok) {
    const halves = splitInHalf(bytes);
    if (halves.length > 1) {
      let { line } = at;
      for (const half of halves) {
        yield* itemsOf(half, { where: at.where, line });
        line += linesIn(half);
      }
    } else if (bytes.some((byte) => byte > 0x20))
      yield { kind: 'broken', where: `${at.where}, line ${at.line}`, reason: parsed.reason };
    return;
  }
  let [counted, line] = [0, at.line];
  for (const item of parsed.items) {
    if (item.kind === 'alert') {
      yield withTime(item.alert);
      continue;
    }
    if (item.kind !== 'rejected') continue;
    const own = readNormalised(utf8.decode(item.raw));
    if (own) {
      yield withTime(own);
      continue;
    }
    const start = item.raw.byteOffset - bytes.byteOffset;
    if (item.raw.buffer === bytes.buffer && start >= counted) {
      line += linesIn(bytes.subarray(counted, start));
      counted = start;
    }
    yield { kind: 'broken', where: `${at.where}, line ${line}`, reason: item.reason };
  }
}

function withTime(alert: Alert): LogItem {
  const { title: _, observables: __, ...kept } = asFound(alert);
  const atMs = Date.parse(alert.time);
  return { kind: 'alert', alert: { ...kept, title: alert.rule, observables: [] }, atMs: Number.isNaN(atMs) ? 0 : atMs };
}

function linesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}
