export function borderFaults(folder: string): { file: string; specifier: string; reason: string }[];
