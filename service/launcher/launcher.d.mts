/** What is wrong with this Node, and what to do; undefined where Firebreak's code runs on it. */
export function nodeProblem(): string | undefined;
