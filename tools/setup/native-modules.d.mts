export function keepNativeModules(modules: string): void;
