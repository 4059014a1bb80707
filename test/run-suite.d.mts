export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** How many in which file. */
  readonly skippedIn: readonly string[];
  readonly notes: readonly string[];
  readonly failedIn: readonly { readonly file: string; readonly passed: number; readonly failed: number }[];
  /** A line for each test that failed. */
  readonly shortly: readonly string[];
  /** What each file took, by the clock and of the processor: of its own and of what it started, not of the servers that it shares. */
  readonly costs: readonly { readonly file: string; readonly seconds: number; readonly cpuSeconds: number }[];
  readonly cpuSeconds: number;
}
export function environmentOfTests(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function runSuite(options: {
  root: string;
  node: string;
  name: string;
  files: readonly string[];
  workers: number;
  /** The limit of a test, in milliseconds. */
  testMs?: number;
  /** A file from which nothing came for as long has hung, and is ended. */
  hungMs?: number;
  folder: string;
  env: NodeJS.ProcessEnv;
  until: number;
  signal: AbortSignal;
  /** A file for what Jest and the tests print; absent: it is shown. */
  log?: string;
  /** Counted in files, now and then. */
  onProgress?: (state: { readonly done: number; readonly failed: number }) => void;
}): Promise<SuiteResult>;
export function afterAgain(
  first: SuiteResult & { readonly why?: string },
  again: SuiteResult,
): Omit<SuiteResult, 'skipped' | 'skippedIn' | 'costs' | 'cpuSeconds'> & { readonly why?: string };
export function processesWith(
  name: string,
  value: string,
): readonly { readonly pid: number; readonly parent: number; readonly command: string }[];
