import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { KeyFingerprint } from '../../core/bundle/bundle.ts';
import type { BundleVerdict } from '../../core/bundle/verify-bundle.ts';

const verifier = join(import.meta.dirname, '../../docs/spec/verify.py');

/** Why the other verifier cannot run here; undefined where it can. */
export function withoutPython(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import cryptography'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'no python3 with the package cryptography (apt-get install python3-cryptography)';
}

/** What the verifier in Python says of one file, by a list of trusted keys. */
export function pythonVerdict(file: string, keys: string): BundleVerdict {
  return JSON.parse(spawnSync('python3', [verifier, file, '--trust', keys], { encoding: 'utf8' }).stdout);
}

/** As the file of trusted keys has them. */
export function trustFile(keys: readonly KeyFingerprint[]): string {
  return keys.map(({ of, fingerprint }) => `${of} ${fingerprint}\n`).join('');
}

/** The verifier in Python as one process that is given bundles one after another, while others are checked here: its start costs more than a bundle. */
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
    // Where it has ended, that its answers are missing says so.
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Waits while it has more to read than it can. */
  async give(file: Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    stdin.write(file);
    if (!stdin.write('\n')) await Promise.race([once(stdin, 'drain'), this.#over]);
  }

  /** No more is given. */
  end(): void {
    this.#child.stdin.end();
  }

  /** Of the next one that it was given. @throws where it has ended without it */
  async verdict(): Promise<BundleVerdict> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`verify.py has ended: ${this.#stderr}`);
    return JSON.parse(value);
  }
}

/** What it says of each. */
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
