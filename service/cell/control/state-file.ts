import { readFileSync } from 'node:fs';
import { replaceFileSync } from '../../../integrations/replace-file.ts';

/** A JSON file in the state directory, replaced atomically, and only if its text changes. Readers verify its contents. */
export class StateFile {
  readonly #file: string;
  #text = '';

  constructor(file: string) {
    this.#file = file;
  }

  /** Whether nothing was read or written yet. */
  get isEmpty(): boolean {
    return this.#text === '';
  }

  /** Returns undefined if there is no file, or it is not JSON. */
  read(): unknown {
    try {
      const text = readFileSync(this.#file, 'utf8');
      const value: unknown = JSON.parse(text);
      this.#text = text;
      return value;
    } catch {
      return undefined;
    }
  }

  write(value: unknown): 'written' | 'unchanged' | 'failed' {
    const text = JSON.stringify(value);
    if (text === this.#text) return 'unchanged';
    try {
      replaceFileSync({ path: this.#file, content: text });
      this.#text = text;
      return 'written';
    } catch {
      return 'failed';
    }
  }
}
