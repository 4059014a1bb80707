/** What is wrong with this Node, and what to do; undefined where Firebreak's code runs on it. */
export function nodeProblem(): string | undefined;

/** Runs a program under the given Node. It ends when this process does, kill -9 included. Returns its exit code. */
export function runUnder(options: {
  readonly node: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}): Promise<number>;
