import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** What a process takes besides its objects: V8's code and nursery, libraries, and some buffers. */
const besideObjectsMb = 192;
/** A process can fill 100 to 200 MB meanwhile. */
const everyMs = 100;

/**
 * Watches the memory of a process that runs the code of a pack, until it ends. V8 limits its objects only: buffers are outside. The kernel could limit all of
 * it, but Node cannot ask for that, and the image has no program that could. Linux only.
 *
 * @param objectsMb what V8 lets its objects take, as in `confinedFlags`.
 * @param over called once with what it did: it has to end the process.
 */
export function limitMemory(child: ChildProcess, objectsMb: number, over: (did: string) => void): void {
  const { pid } = child;
  if (pid === undefined || process.platform !== 'linux') return;
  ranksFirst(pid);
  const mostMb = objectsMb + besideObjectsMb;
  const timer = setInterval(() => {
    if (residentMb(pid) <= mostMb) return;
    clearInterval(timer);
    over(`took more than ${mostMb} MB of memory`);
  }, everyMs).unref();
  child.once('exit', () => clearInterval(timer));
}

/** If memory runs out before that, the kernel ends this process rather than its parent, unless it ends whole containers, as Kubernetes has it do. */
function ranksFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It has ended already, or the folder is read-only.
  }
}

/** MB of 2^20 bytes, as V8 counts; 0 if it has ended. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
function residentMb(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
