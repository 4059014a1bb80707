export const serviceNodeFlags: readonly string[];
