export function houseFaults(folder: string): string[];
