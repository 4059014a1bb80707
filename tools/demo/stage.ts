import { styleText } from 'node:util';
import { printable } from '../../service/commands/output.ts';

type Style = Parameters<typeof styleText>[0];

export interface StageTime {
  readonly stage: string;
  readonly ms: number;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Formats `1234.5` as `1.23 s`, `48.2` as `48 ms`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 100_000 ? `${(ms / 1_000).toFixed(2)} s` : `${Math.round(ms / 1_000)} s`;
}

/** What the demo shows while it runs: colours and a spinner on a terminal, plain lines anywhere else. */
export class Stage {
  readonly #out: NodeJS.WriteStream;
  #spinner: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  line(text = ''): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  heading(text: string): void {
    this.line(`\n${this.style('bold', printable(text))}`);
  }

  /** Prints a completed step of the set-up. */
  done(text: string, ms?: number): void {
    const took = ms === undefined ? '' : this.style('dim', `  ${durationText(ms)}`);
    this.line(`  ${this.style('green', '✔')} ${printable(text)}${took}`);
  }

  /** Prints `   48 ms  contained   …`; the lines below it are aligned with the same column. */
  event(ms: number | undefined, name: string, text: string, more: readonly string[] = []): void {
    const time = (ms === undefined ? '' : durationText(ms)).padStart(9);
    this.line(`${this.style('dim', time)}  ${this.style(['cyan', 'bold'], name.padEnd(10))}  ${printable(text)}`);
    for (const line of more) this.line(`${' '.repeat(23)}${printable(line)}`);
  }

  claim(ok: boolean, text: string): void {
    this.line(`  ${ok ? this.style('green', '✔') : this.style(['red', 'bold'], '✘')} ${printable(text)}`);
  }

  warn(text: string): void {
    this.line(this.style('yellow', printable(text)));
  }

  /** Shows that something is in progress, until the next line. Without a terminal only completed steps are printed. */
  waiting(text: string): void {
    this.#clear();
    if (!this.#out.isTTY) return;
    let turn = 0;
    const show = (): void => {
      this.#out.write(`\r\u001b[2K  ${this.style('cyan', frames[turn % frames.length] ?? '')} ${printable(text)}`);
      turn += 1;
    };
    show();
    this.#spinner = setInterval(show, 120).unref();
  }

  /** Shows the progress of something long: on the spinner's line, or on a line of its own if there is no terminal. */
  goesOn(text: string): void {
    if (this.#out.isTTY) this.waiting(text);
    else this.line(`    ${printable(text)}`);
  }

  #clear(): void {
    if (this.#spinner === undefined) return;
    clearInterval(this.#spinner);
    this.#spinner = undefined;
    this.#out.write('\r\u001b[2K');
  }

  /** Leaves the terminal clean. */
  end(): void {
    this.#clear();
  }
}
