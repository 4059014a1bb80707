import type { Severity } from '../../../core/alert/severity.ts';
import { severityOfText } from '../severity-words.ts';

const levels: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

/** Tracee counts from 0 (info) to 4 (critical), as a number, as a text of it, or by its name. */
export function traceeSeverity(value: unknown): Severity {
  const level = typeof value === 'string' && /^\d$/.test(value) ? Number(value) : value;
  return (typeof level === 'number' ? levels[level] : severityOfText(value)) ?? 'unknown';
}
