import { readFileSync } from 'node:fs';
import { replaceFileSync } from '../../../integrations/replace-file.ts';

/** A JSON file of the state directory, replaced whole or not at all, and only where its text changes. What is in it is proven by who reads it. */
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

  /** Undefined where there is none, or nothing that is JSON. */
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
