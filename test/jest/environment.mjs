import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { cpuMsUsed } from './cpu-used.mjs';

/**
 * A process that exits by itself has left nothing open. On a busy machine, freeing what it has loaded takes longer than the half second after which Jest kills
 * a worker, reports a leak, and loses the compiled code: so the code is stored after each file, and the process exits as it is.
 */
if (process.send !== undefined)
  process.once('beforeExit', () => {
    process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
    process.exit();
  });

/** The processor time of this worker that is already reported: work that a file leaves for afterwards also counts as the file's. */
let told = 0;

/**
 * The environment of a test file: plain Node, in which the product also runs. What Jest or a test changes in the process is restored after the file, so that
 * the next one in the same worker finds it as the first did.
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
