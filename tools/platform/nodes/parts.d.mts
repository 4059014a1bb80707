/** Why real nodes cannot run on this machine; undefined where they can. */
export function missingForRealNodes(): string | undefined;
/** The folder of the CNI plugins, or undefined. */
export function findCniPlugins(): string | undefined;
/** A statically linked busybox, or undefined. */
export function findBusybox(): string | undefined;
/** The mounted cgroup hierarchies: one folder each with version 1, the only one with version 2. */
export function cgroupHierarchies(): readonly string[];
