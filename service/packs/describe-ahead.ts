import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { PackFiles } from './pack-files.ts';
import { mostBytes, prepareFolder, programMs, writePack } from './pack-program.ts';

interface Spare {
  readonly folder: string;
  readonly process: ChildProcess;
  readonly said: readonly Buffer[];
  readonly code: Promise<unknown>;
}

/**
 * Describes packs as `describePack` does, by a process that is started before there is one to describe: on a machine with other work its start takes longer
 * than all the rest. Each runs the modules of one pack, once, as what they leave behind is nobody's business.
 */
export class DescribingAhead {
  #spare: Spare | undefined = started();

  /** What the pack says of itself, unchecked. Whoever asks has looked at `packFaults` before. @throws Error where it does not run. */
  async describe(pack: PackFiles): Promise<unknown> {
    const spare = this.#spare ?? started();
    this.#spare = undefined;
    try {
      writePack(pack, spare.folder);
      spare.process.stdin?.end(`${pack.main}\n`);
      const timer = setTimeout(() => spare.process.kill('SIGKILL'), programMs);
      const code = await spare.code.finally(() => clearTimeout(timer));
      if (code !== 0) throw new Error('the pack does not run');
      return JSON.parse(Buffer.concat(spare.said).toString('utf8'));
    } finally {
      rmSync(spare.folder, { recursive: true, force: true });
    }
  }

  /** Makes the next one ready. It takes part of the processor, so it is begun when nobody waits. */
  prepare(): void {
    this.#spare ??= started();
  }

  close(): void {
    const spare = this.#spare;
    this.#spare = undefined;
    spare?.process.kill('SIGKILL');
    if (spare) rmSync(spare.folder, { recursive: true, force: true });
  }
}

function started(): Spare {
  const { folder, args, options } = prepareFolder('service/packs/describe-main');
  const running = spawn(process.execPath, args, { env: options.env, cwd: options.cwd, stdio: ['pipe', 'pipe', 'ignore'] });
  // Where it has ended before it has read, its end says more.
  running.stdin.on('error', () => undefined);
  const said: Buffer[] = [];
  let bytes = 0;
  running.stdout.on('data', (chunk: Buffer) => {
    said.push(chunk);
    bytes += chunk.length;
    if (bytes > mostBytes) running.kill('SIGKILL');
  });
  const code = once(running, 'close').then(
    ([status]) => status,
    () => undefined,
  );
  return { folder, process: running, said, code };
}
