/** What real nodes need from the machine. Plain JavaScript, since the test runner asks before TypeScript can run. */
import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs by the Debian package that contains them. */
const programs = {
  go: 'Go 1.26',
  ip: 'iproute2',
  unshare: 'util-linux',
  tar: 'tar',
  openssl: 'openssl',
  runc: 'runc',
  iptables: 'iptables',
};

export function missingForRealNodes() {
  if (process.platform !== 'linux') return 'real nodes need Linux';
  if (process.getuid?.() !== 0) return 'real nodes need root';
  for (const [program, source] of Object.entries(programs))
    if (!isOnPath(program)) return `${program} is not on PATH (${source})`;
  if (!findCniPlugins()) return "CNI plugins are missing (Debian's containernetworking-plugins)";
  if (!findBusybox()) return "a static busybox is missing (Debian's busybox-static)";
  const hierarchies = cgroupHierarchies();
  if (hierarchies.length === 0) return 'no cgroups are mounted in /sys/fs/cgroup';
  if (!hierarchies.every(isWritable)) return 'cgroups cannot be created in /sys/fs/cgroup';
  const { status } = spawnSync('unshare', ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', 'true'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'namespaces cannot be created (unshare)';
}

export function findCniPlugins() {
  return ['/usr/lib/cni', '/opt/cni/bin'].find((folder) =>
    ['ptp', 'host-local'].every((plugin) => existsSync(join(folder, plugin))),
  );
}

export function findBusybox() {
  return ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path) && isStatic(path));
}

export function cgroupHierarchies() {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) return [root];
  if (!existsSync(root)) return [];
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, folder = '', type]) => type === 'cgroup' && folder.startsWith(`${root}/`))
    .map(([, folder]) => folder);
  return mounted.sort();
}

function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}

/** An ELF file that names no interpreter is statically linked: Debian's plain busybox is not, and could not run in an empty image. */
function isStatic(path) {
  const head = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  readSync(file, head, 0, head.length, 0);
  closeSync(file);
  return !head.includes('/ld-linux') && !head.includes('/ld-musl');
}
