export const serviceNodeFlags: readonly string[];
export const serviceEnvironment: Readonly<Record<string, string>>;
