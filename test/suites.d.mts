export interface Suite {
  readonly name: string;
  readonly folder?: string;
  /** Part of `npm test`. */
  readonly quick?: boolean;
  readonly workers: number;
  readonly workersAlone?: number;
  readonly platform?: boolean;
  readonly lab?: boolean;
  /** The limit of a test, in milliseconds, where two minutes are too few. */
  readonly testMs?: number;
  readonly lane?: string;
  missing(): string | undefined;
}
export const suites: readonly Suite[];
export function testFiles(options: { root: string; suite: Suite; filters: readonly string[] }): string[];
export function findBrowser(): string | undefined;
export function findPostgres(): string | undefined;
