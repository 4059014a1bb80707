export function buildConsole(options: { readonly folder: string }): Promise<void>;
