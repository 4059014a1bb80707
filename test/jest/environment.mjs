import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { cpuMsUsed } from './cpu-used.mjs';

/**
 * Who comes to its end by itself has left nothing open. To free what it has loaded takes a used machine longer than the half second after which Jest
 * ends a worker by force, tells of a leak, and what was compiled is lost: so it is kept file by file, and the process ends as it is.
 */
if (process.send !== undefined)
  process.once('beforeExit', () => {
    process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
    process.exit();
  });

/** The processor time of this worker that is told already: also what a file leaves to be done after it is its own. */
let told = 0;

/**
 * The environment of a test file: Node as it is, in which the product runs, too. What Jest or a test changes of the process is put back after
 * the file, so that the next one in the same worker finds it as the first did.
 */
export default class NodeItself {
  global = globalThis;
  exportConditions = () => ['node', 'import'];
  #before = {
    console: globalThis.console,
    exit: process.exit,
    environment: { ...process.env },
    folder: process.cwd(),
  };

  #account;
  #file;

  constructor({ projectConfig }, { testPath }) {
    this.#account = projectConfig.testEnvironmentOptions.account;
    this.#file = testPath;
  }

  /** Node has loaded the modules: there is no other context to run a script in. */
  getVmContext() {
    return null;
  }

  async setup() {}

  async teardown() {
    const { console, exit, environment, folder } = this.#before;
    globalThis.console = console;
    process.exit = exit;
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
    process.chdir(folder);
    flushCompileCache();
    if (this.#account !== undefined) this.#tellCpu();
  }

  #tellCpu() {
    const used = cpuMsUsed();
    appendFileSync(this.#account, `${JSON.stringify({ used: this.#file, cpuMs: used - told })}\n`);
    told = used;
  }
}
