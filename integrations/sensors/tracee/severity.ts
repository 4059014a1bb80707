import type { Severity } from '../../../core/alert/severity.ts';
import { severityOfText } from '../severity-words.ts';

const levels: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

/** Tracee's severity from 0 (info) to 4 (critical), as a number, as that number in a text, or by name. */
export function traceeSeverity(value: unknown): Severity {
  const level = typeof value === 'string' && /^\d$/.test(value) ? Number(value) : value;
  return (typeof level === 'number' ? levels[level] : severityOfText(value)) ?? 'unknown';
}
