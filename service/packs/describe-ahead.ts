import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { limitMemory } from './memory-limit.ts';
import type { PackFiles } from './pack-files.ts';
import { mostBytes, packMb, prepareFolder, programMs, writePack } from './pack-program.ts';

interface Spare {
  readonly folder: string;
  readonly process: ChildProcess;
  readonly said: readonly Buffer[];
  readonly code: Promise<unknown>;
}

/**
 * Describes packs as `describePack` does, in a process that is started in advance: on a busy machine its start takes longer than everything else. Each process
 * runs the modules of one pack, once, so that nothing they leave behind affects another.
 */
export class DescribingAhead {
  #spare: Spare | undefined = started();

  /** Returns the pack's own description, unchecked. The caller must have checked `packFaults` before. @throws Error if it does not run. */
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

  /** Prepares the next process. This uses processor time, so it is started when nobody waits. */
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
  limitMemory(running, packMb, () => running.kill('SIGKILL'));
  // If the process ended before it read its input, its exit explains more.
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
