/**
 * A Jest reporter that writes a line of JSON when each file begins and ends and at each of its tests, and one when the run is over: so it is known what was done even if Jest is ended
 * or crashes. Options: `{ file }`. Plain JavaScript, since Jest loads it itself.
 */
import { appendFileSync } from 'node:fs';

export default class JestAccount {
  #file;

  constructor(_config, { file }) {
    this.#file = file;
  }

  onTestFileStart({ path }) {
    this.#write({ begun: path });
  }

  /** A sign of life: a file without one has hung. */
  onTestCaseResult({ path }) {
    this.#write({ progress: path });
  }

  onTestFileResult({ path }, result) {
    this.#write({
      file: path,
      seconds: Math.round((result.perfStats.runtime ?? 0) / 1_000),
      passed: result.numPassingTests,
      failed: result.numFailingTests,
      skipped: result.numPendingTests + result.numTodoTests,
      /** The file could not be run to its end, whatever its tests reported until then. */
      broken: result.testExecError ? String(result.testExecError.message ?? result.failureMessage ?? '') : undefined,
      failures: result.testResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => ({ name: fullName, messages: failureMessages })),
    });
  }

  onRunComplete(_contexts, { wasInterrupted }) {
    if (!wasInterrupted) this.#write({ complete: true });
  }

  #write(line) {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}
