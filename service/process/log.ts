import pino, { type Logger } from 'pino';
import { visibleJson, visibleLine } from '../../core/text/visible-text.ts';
import type { Config } from '../config/load.ts';
import { traceFields } from './telemetry/tracing.ts';

export type { Logger } from 'pino';
export { reasonOf } from './reason.ts';

/** Structured log on standard error: what goes wrong is there whatever happens to standard output. Secrets never reach it; these paths are the net below. */
export function createLog(config: Pick<Config, 'log'>): Logger {
  const options = {
    level: config.log.level,
    base: null,
    redact: { paths: ['*.token', '*.botToken', '*.password', '*.authorization', '*.headers'], censor: '[hidden]' },
    formatters: { level: (label: string) => ({ level: label }) },
    // Of what belongs to the trace of an incident: so its lines are found by it.
    mixin: traceFields,
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, config.log.format === 'text' ? textStream() : jsonStream());
}

/** Lines of JSON, in which nothing steers the terminal of whoever looks at them. */
function jsonStream(): pino.DestinationStream {
  const out = pino.destination({ fd: 2, sync: false });
  return { write: (line) => void out.write(`${visibleJson(line.trimEnd())}\n`) };
}

/** What can be nothing but a value: no blank, no quote, no `=`. */
const plainValue = /^[\w.:/@%+,-]+$/;

function fieldText(value: unknown): string {
  return typeof value === 'string' && plainValue.test(value) ? value : visibleJson(JSON.stringify(value) ?? 'undefined');
}

/** One readable line: time, level, message, then what belongs to it. What others have written makes no line and no field of its own. */
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
