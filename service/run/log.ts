import pino, { type Logger } from 'pino';
import { FirebreakError } from '../../core/errors.ts';
import type { Config } from '../config/load.ts';

export type { Logger } from 'pino';

/** Structured log on standard error: what goes wrong is there whatever happens to standard output. Secrets never reach it; these paths are the net below. */
export function createLog(config: Pick<Config, 'log'>): Logger {
  const options = {
    level: config.log.level,
    base: null,
    redact: { paths: ['*.token', '*.botToken', '*.password', '*.authorization', '*.headers'], censor: '[hidden]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, config.log.format === 'text' ? textStream() : pino.destination({ fd: 2, sync: false }));
}

/** What may be logged of an error: ours in full, of others only the name: their messages hold bodies and headers. */
export function reasonOf(error: unknown): string {
  if (error instanceof FirebreakError) return `${error.code}: ${error.detail}`;
  return error instanceof Error ? error.name : typeof error;
}

/** One readable line: time, level, message, then what belongs to it. */
function textStream(): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const fields = Object.entries(rest).map(
        ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      process.stderr.write(`${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)} ${fields.join(' ')}\n`);
    },
  };
}
