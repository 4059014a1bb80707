import type { Alert } from '../../core/alert/alert.ts';
import { sensorText } from '../../core/alert/sensor-text.ts';
import type { Severity } from '../../core/alert/severity.ts';

/** Common spellings of severities, in lower case. */
const severityOfWord: Readonly<Record<string, Severity>> = {
  emergency: 'critical',
  alert: 'critical',
  critical: 'critical',
  fatal: 'critical',
  page: 'critical',
  error: 'high',
  high: 'high',
  major: 'high',
  warning: 'medium',
  warn: 'medium',
  medium: 'medium',
  moderate: 'medium',
  notice: 'low',
  low: 'low',
  minor: 'low',
  informational: 'info',
  information: 'info',
  info: 'info',
  debug: 'info',
  none: 'info',
};

/** The severity that a word means, in any case; undefined for other words. */
export function severityOfText(value: unknown): Severity | undefined {
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return Object.hasOwn(severityOfWord, word) ? severityOfWord[word] : undefined;
}

/** The sensor's own priority, as written. */
export function priorityOf(written: unknown): Pick<Alert, 'priority'> {
  const priority = sensorText(typeof written === 'number' ? String(written) : written, 64);
  return priority === undefined ? {} : { priority };
}
