import { createRequire, registerHooks, syncBuiltinESMExports } from 'node:module';
import { pathToFileURL } from 'node:url';
import { implementationModules } from './pack-rules.ts';

/** What a pack's code may use of `process`, besides its data. The rest acts on other processes, loads code or opens handles. */
const kept: ReadonlySet<string> = new Set(
  [
    'nextTick hrtime uptime cwd exit reallyExit emitWarning memoryUsage cpuUsage resourceUsage availableMemory constrainedMemory',
    // Node itself looks these up.
    '_tickCallback _fatalException setUncaughtExceptionCaptureCallback hasUncaughtExceptionCaptureCallback',
  ].flatMap((names) => names.split(' ')),
);

/**
 * Takes from this process what `--permission` leaves to the code of a pack: the network, signals and priorities of other processes, databases in files, flags of
 * the engine, and Firebreak's own modules. Called once everything of Firebreak's is loaded, before the first module of a pack. It lasts until the process ends.
 *
 * @param folder the pack's, as the file system names it.
 * @param doors where the packages are that a pack may import.
 */
export function confine(folder: string, doors: ReadonlyMap<string, string>): void {
  confineProcess();
  const inPack = pathToFileURL(`${folder}/`).href;
  registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL } = context;
      // Firebreak's own code, which may load more.
      if (parentURL === undefined || !(parentURL.startsWith(inPack) || /^(?:data|blob):/.test(parentURL)))
        return next(specifier, context);
      if (doors.has(specifier) || implementationModules.has(specifier.replace(/^node:/, ''))) return next(specifier, context);
      const found = next(specifier, context);
      if (found.url.startsWith(inPack)) return found;
      throw new Error(`the code of a pack may not import '${specifier}': access is restricted`);
    },
  });
}

/** The part of it that needs no pack: the network, and what acts on other processes, loads code or opens handles. */
export function confineProcess(): void {
  closeNetwork();
  for (const name of Object.getOwnPropertyNames(process)) {
    const { value }: PropertyDescriptor = Object.getOwnPropertyDescriptor(process, name) ?? {};
    if (typeof value === 'function' && !kept.has(name)) Reflect.deleteProperty(process, name);
  }
  for (const name of ['report', 'channel', 'mainModule']) Reflect.deleteProperty(process, name);
  for (const name of ['fetch', 'WebSocket', 'EventSource']) Reflect.deleteProperty(globalThis, name);
}

/** Every connection of this process goes through these, also those of `fetch` and of a class that is reached by way of an object. */
function closeNetwork(): void {
  const require = createRequire(import.meta.url);
  const [net, dgram]: [typeof import('node:net'), typeof import('node:dgram')] = [require('node:net'), require('node:dgram')];
  const closed = (): never => {
    throw new Error('the code of a pack has no network of its own: access is restricted');
  };
  for (const [prototype, names] of [
    [net.Socket.prototype, ['connect']],
    [net.Server.prototype, ['listen']],
    [dgram.Socket.prototype, ['bind', 'connect', 'send', 'sendto']],
  ] as const)
    for (const name of names) Object.defineProperty(prototype, name, { value: closed, writable: false, configurable: false });
  syncBuiltinESMExports();
}
