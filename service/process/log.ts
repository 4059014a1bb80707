import pino, { type Logger } from 'pino';
import { visibleJson, visibleLine } from '../../core/text/visible-text.ts';
import type { Config } from '../config/load.ts';
import { traceFields } from './telemetry/tracing.ts';

export type { Logger } from 'pino';
export { reasonOf } from './reason.ts';

/** Structured log on standard error, so that errors are visible whatever happens to standard output. */
export function createLog(config: Pick<Config, 'log'>): Logger {
  const options = {
    level: config.log.level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    // Adds trace fields to lines that belong to the trace of an incident, so that they can be found by it.
    mixin: traceFields,
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const stream = config.log.format === 'text' ? textStream() : jsonStream();
  return pino(options, { write: (line) => stream.write(withoutSecrets(line)) });
}

const secretFields: ReadonlySet<string> = new Set(['token', 'botToken', 'password', 'authorization', 'headers']);
/** In JSON, a quotation mark within a text is escaped: only the name of a field matches. */
const hasSecretField = new RegExp(`"(?:${[...secretFields].join('|')})":`);

/**
 * Secrets must never reach the log; this is only a safety net, at any depth. pino's own redaction follows its paths with wildcards for each line, and took half
 * of the time that a line takes.
 */
function withoutSecrets(line: string): string {
  if (!hasSecretField.test(line)) return line;
  return JSON.stringify(JSON.parse(line, (name, value) => (secretFields.has(name) ? '[hidden]' : value)));
}

/** JSON lines, free of anything that could control the reader's terminal. */
function jsonStream(): pino.DestinationStream {
  const out = pino.destination({ fd: 2, sync: false });
  return { write: (line) => void out.write(`${visibleJson(line.trimEnd())}\n`) };
}

/** Text that needs no quoting as a value: no blank, no quote, no `=`. */
const plainValue = /^[\w.:/@%+,-]+$/;

function fieldText(value: unknown): string {
  return typeof value === 'string' && plainValue.test(value) ? value : visibleJson(JSON.stringify(value) ?? 'undefined');
}

/** One readable line: time, level, message, then the fields. Foreign text cannot forge a line or a field. */
function textStream(): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const fields = Object.entries(rest).map(([name, value]) => `${visibleLine(name)}=${fieldText(value)}`);
      const head = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${visibleLine(String(msg))}`;
      process.stderr.write(`${[head, ...fields].join(' ')}\n`);
    },
  };
}
