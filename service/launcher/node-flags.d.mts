export const noInspector: string;
export const serviceNodeFlags: readonly string[];
export const auditNodeFlags: readonly string[];
export const serviceEnvironment: Readonly<Record<string, string>>;
