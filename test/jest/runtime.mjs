/**
 * How Jest loads a test file: with Node's own loader, which takes TypeScript as it is and keeps what it has loaded for the next file. Jest's own runtime gives
 * each file a separate context, and evaluates thousands of modules of `node_modules` again in it: ten times the work, and other classes of `Error` and `Array`
 * than Node's. So modules are shared by the files of one worker: state in a module outlives a file. Mocks of modules, coverage and watching are not supported.
 */
import { createRequire, enableCompileCache, registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { beginFile, endFile } from './globals.mjs';

const globalsUrl = new URL('./globals.mjs', import.meta.url).href;
const require = createRequire(import.meta.url);

enableCompileCache(join(cacheFolder(), 'compiled'));
// What tests start is compiled once per run: its folder may be a copy of the built product that never exists again.
process.env.NODE_COMPILE_CACHE = join(tmpdir(), 'fb-compiled');
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@jest/globals' ? { url: globalsUrl, shortCircuit: true } : next(specifier, context),
});

export default class NodeRuntime {
  unstable_shouldLoadAsEsm() {
    return true;
  }

  async unstable_importModule(path) {
    return await import(pathToFileURL(path).href);
  }

  requireModule(path) {
    return require(path);
  }

  /** Jest's own part, which keeps the tests of one file as its state: a new one for each file. */
  requireInternalModule(path) {
    delete globalThis[Symbol.for('EVENT_HANDLERS')];
    delete require.cache[require.resolve(path)];
    return require(path);
  }

  setGlobalsForRuntime(globals) {
    beginFile(globals);
  }

  getSourceMaps() {
    return new Map();
  }

  getAllCoverageInfoCopy() {}

  enterTestCode() {}

  leaveTestCode() {}

  teardown() {
    endFile();
  }
}
