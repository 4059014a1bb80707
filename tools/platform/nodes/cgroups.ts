import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processExists } from '../../../integrations/running-process.ts';
import { cgroupHierarchies } from './parts.mjs';

const prefix = 'firebreak-node-';
/** Next to version 1 hierarchies there may be one of version 2, in which runc also makes cgroups. */
const unified = '/sys/fs/cgroup/unified';

/** Makes the cgroup that contains everything of a node's pods, named after the process that the node ends with. */
export function makeNodeCgroup(pid: number): string {
  const name = `${prefix}${pid}`;
  for (const hierarchy of cgroupHierarchies()) {
    const folder = join(hierarchy, name);
    mkdirSync(folder, { recursive: true });
    // In version 1 a new cpuset has no CPU and no memory, and accepts no process.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (existsSync(join(folder, 'notify_on_release')) && existsSync(join(folder, file)))
        writeFileSync(join(folder, file), readFileSync(join(hierarchy, file)));
  }
  return name;
}

/** Removes the cgroups of nodes whose process is gone: the only thing of a node that the kernel keeps after its end. */
export async function removeDeadCgroups(): Promise<void> {
  for (const hierarchy of everyHierarchy())
    for (const name of readdirSync(hierarchy).filter((entry) => entry.startsWith(prefix)))
      if (!processExists(Number(name.slice(prefix.length)))) await removeTree(join(hierarchy, name));
}

/** The existing cgroups of a node, identified by the process that it ends with. */
export function cgroupsOfNode(pid: number): readonly string[] {
  return everyHierarchy()
    .map((hierarchy) => join(hierarchy, `${prefix}${pid}`))
    .filter((folder) => existsSync(folder));
}

function everyHierarchy(): readonly string[] {
  return [...new Set([...cgroupHierarchies(), ...(existsSync(unified) ? [unified] : [])])];
}

async function removeTree(folder: string): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) {
    if (remove(folder)) return;
    // Processes that were just killed remain in it for a moment.
    await sleep(100);
  }
}

function remove(folder: string): boolean {
  try {
    const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (!inner.map(({ name }) => remove(join(folder, name))).every(Boolean)) return false;
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}
