import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { KeyFingerprint } from '../../core/bundle/bundle.ts';
import type { BundleVerdict } from '../../core/bundle/verify-bundle.ts';

const verifier = join(import.meta.dirname, '../../docs/spec/verify.py');

/** Returns why the other verifier cannot run here; undefined if it can. */
export function withoutPython(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import cryptography'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'no python3 with the package cryptography (apt-get install python3-cryptography)';
}

/** The Python verifier's verdict on one file, given a list of trusted keys. */
export function pythonVerdict(file: string, keys: string): BundleVerdict {
  return JSON.parse(spawnSync('python3', [verifier, file, '--trust', keys], { encoding: 'utf8' }).stdout);
}

/** Formatted as in the file of trusted keys. */
export function trustFile(keys: readonly KeyFingerprint[]): string {
  return keys.map(({ of, fingerprint }) => `${of} ${fingerprint}\n`).join('');
}

/** The Python verifier as one process that reads bundles one after another while others are checked here: starting it costs more than a bundle. */
export class PythonVerifier {
  readonly #child;
  readonly #lines: AsyncIterator<string>;
  readonly #over: Promise<unknown>;
  #stderr = '';

  /** @param trusted name of a file with trusted keys */
  constructor(trusted?: string) {
    const args = [verifier, '-', ...(trusted === undefined ? [] : ['--trust', trusted])];
    this.#child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#over = new Promise((resolve) => this.#child.once('close', resolve));
    // If the process has ended, the missing answers report it.
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Waits while the process has more input than it can read. */
  async give(file: Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    stdin.write(file);
    if (!stdin.write('\n')) await Promise.race([once(stdin, 'drain'), this.#over]);
  }

  /** Ends the input. */
  end(): void {
    this.#child.stdin.end();
  }

  /** Returns the verdict on the next bundle that it was given. @throws if it ended without one */
  async verdict(): Promise<BundleVerdict> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`verify.py has ended: ${this.#stderr}`);
    return JSON.parse(value);
  }
}

/** Returns its verdict on each file. */
export async function pythonVerdicts(files: readonly Uint8Array[]): Promise<readonly BundleVerdict[]> {
  const python = new PythonVerifier();
  const given = (async () => {
    for (const file of files) await python.give(file);
    python.end();
  })();
  const verdicts: BundleVerdict[] = [];
  for (const _ of files) verdicts.push(await python.verdict());
  await given;
  return verdicts;
}
