export interface Suite {
  readonly name: string;
  readonly folder?: string;
  readonly workers: number;
  readonly workersAlone?: number;
  readonly yields?: boolean;
  readonly platform?: boolean;
  readonly lab?: boolean;
  readonly lane?: string;
  missing(): string | undefined;
}
export const suites: readonly Suite[];
export function testFiles(options: { root: string; suite: Suite; filters: readonly string[] }): string[];
export function findBrowser(): string | undefined;
export function findPostgres(): string | undefined;
