/** How bad an alert says it is, worst first. `unknown` alone is reason for nothing: only a sure rule and a second act contain a pod then. */
export const severities = ['critical', 'high', 'medium', 'low', 'info', 'unknown'] as const;
export type Severity = (typeof severities)[number];

export function isSeverity(value: unknown): value is Severity {
  return severities.some((severity) => severity === value);
}

const rank: Readonly<Record<Severity, number>> = { critical: 5, high: 4, medium: 3, low: 2, info: 1, unknown: 0 };

/** True when `severity` is at least `minimum`. `unknown` reaches no minimum but its own. */
export function atLeast(severity: Severity, minimum: Severity): boolean {
  return rank[severity] >= rank[minimum];
}

/** Returns the worse of the two; `unknown` only if both are. */
export function worse(a: Severity, b: Severity): Severity {
  return rank[a] >= rank[b] ? a : b;
}

/** Orders the worst first. */
export function bySeverity(a: Severity, b: Severity): number {
  return rank[b] - rank[a];
}
