import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** A benchmark that has said nothing says within this time that it is at work. */
const firstSilenceMs = 8_000;
const laterSilenceMs = 30_000;

/** Runs a benchmark in its own process, so that it leaves its memory to none. Passes on what it prints, and reports that it is at work while it prints nothing. */
export async function started(options: {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out?: Writable;
  readonly silenceMs?: { readonly first: number; readonly later: number };
}): Promise<boolean> {
  const { name, args, env, out = process.stdout } = options;
  const { first, later } = options.silenceMs ?? { first: firstSilenceMs, later: laterSilenceMs };
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'pipe', 'pipe'], env });
  const isAtWork = (): void => {
    out.write(`  ${name}: still at work, ${Math.round((performance.now() - began) / 1_000)} s so far\n`);
    timer = setTimeout(isAtWork, later);
  };
  let timer = setTimeout(isAtWork, first);
  const passOn = (from: Readable, to: Writable): void => {
    from.on('data', (data) => {
      clearTimeout(timer);
      timer = setTimeout(isAtWork, later);
      to.write(data);
    });
  };
  passOn(child.stdout, out);
  passOn(child.stderr, options.out ?? process.stderr);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return code === 0;
}
