export const compileFlags: readonly string[];
export function goEnvironment(environment?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
