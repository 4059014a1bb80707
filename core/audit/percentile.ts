/**
 * The nearest rank: a value that was really measured; 0 of none.
 * @param sorted from low to high
 * @param share from 0 to 1
 */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
