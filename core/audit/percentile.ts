/**
 * Returns the percentile by nearest rank: a value that was really measured; 0 for an empty list.
 * @param sorted from low to high
 * @param share from 0 to 1
 */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
