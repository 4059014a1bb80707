import { ruleSets } from '../../../core/rules/known-rules.ts';

/** A line of Falco's standard output without `json_output`: time of day, priority, and the rule's text. A prefix of kubectl or of a runtime may be before it. */
const line =
  /^(?:[^\n{]{0,300}? )?(\d\d:\d\d:\d\d)\.(\d{0,9}): (Emergency|Alert|Critical|Error|Warning|Notice|Informational|Info|Debug) (.*)$/;
const anyLine = new RegExp(line.source, 'm');

/** How the texts of Falco's rules begin: a line does not name its rule. */
const beginnings: readonly (readonly [string, string])[] = [
  ['A shell was spawned in a container with an attached terminal', 'Terminal shell in container'],
  ['Executing binary not part of base image', 'Drop and execute new binary in container'],
  ['Unexpected connection to K8s API Server from container', 'Contact K8S API Server From Container'],
  ['Shell spawned by untrusted binary', 'Run shell untrusted'],
  ['Sensitive file opened for reading by non-trusted program', 'Read sensitive file untrusted'],
  ['Sensitive file opened for reading by trusted program after startup', 'Read sensitive file trusted after startup'],
  ['Read monitored file via directory traversal', 'Directory traversal monitored file read'],
  ['System user ran an interactive command', 'System user interactive'],
  ['Netcat runs inside container that allows remote code execution', 'Netcat Remote Code Execution in Container'],
  ['Grep private keys or passwords activities found', 'Search Private Keys or Passwords'],
  ['Log files were tampered', 'Clear Log Activities'],
  ['Bulk data has been removed from disk', 'Remove Bulk Data from Disk'],
  ['Symlinks created over sensitive files', 'Create Symlink Over Sensitive Files'],
  ['Hardlinks created over sensitive files', 'Create Hardlink Over Sensitive Files'],
  ['Packet socket was created in a container', 'Packet socket created in container'],
  ['Redirect stdout/stdin to network connection', 'Redirect STDOUT/STDIN to Network Connection in Container'],
  ['Linux Kernel Module injection', 'Linux Kernel Module Injection Detected'],
  ['Debugfs launched started in a privileged container', 'Debugfs Launched in Privileged Container'],
  ['Detect an attempt to exploit a container escape using release_agent file', 'Detect release_agent File Container Escapes'],
  ['Detected ptrace PTRACE_ATTACH attempt', 'PTRACE attached to process'],
  ['Detected potential PTRACE_TRACEME anti-debug attempt', 'PTRACE anti-debug attempt'],
  ['File execution detected from /dev/shm', 'Execution from /dev/shm'],
  ['Disallowed SSH Connection', 'Disallowed SSH Connection Non Standard Port'],
  ['Fileless execution via memfd_create', 'Fileless execution via memfd_create'],
  ['Package management process launched in container', 'Launch Package Management Process in Container'],
];

const names = (ruleSets.find(({ id }) => id === 'falco')?.rules ?? [])
  .map(({ name }) => name)
  .toSorted((a, b) => b.length - a.length);

/** Fields of Falco's default texts, by their short names. */
const fieldOf: Readonly<Record<string, string>> = {
  command: 'proc.cmdline',
  process: 'proc.name',
  parent: 'proc.pname',
  user: 'user.name',
  proc_exepath: 'proc.exepath',
  exe_path: 'proc.exepath',
  k8s_ns: 'k8s.ns.name',
  k8s_ns_name: 'k8s.ns.name',
  k8s_pod: 'k8s.pod.name',
  k8s_pod_name: 'k8s.pod.name',
  container_id: 'container.id',
  container_name: 'container.name',
  container_image_repository: 'container.image.repository',
  container_image: 'container.image.repository',
  image: 'container.image.repository',
  container_image_tag: 'container.image.tag',
};

/** Follows the time of day of consecutive lines over midnight: the lines themselves have no date. */
export class FalcoText {
  #day: number;
  #last = 0;

  /** @param day of the first line: milliseconds since 1970 */
  constructor(day: number) {
    this.#day = Math.floor(day / dayMs) * dayMs;
  }

  /** The bytes with each line of Falco's text as the JSON that Falco would have sent; the same bytes if there is none. */
  asJson(bytes: Uint8Array): Uint8Array {
    if (!isLikely(bytes)) return bytes;
    const text = Buffer.from(bytes).toString('utf8');
    if (!anyLine.test(text)) return bytes;
    return Buffer.from(
      text
        .split('\n')
        .map((one) => this.#jsonOf(one) ?? one)
        .join('\n'),
    );
  }

  #jsonOf(one: string): string | undefined {
    const found = line.exec(one.trimEnd());
    if (!found) return undefined;
    const [, clock = '', fraction = '', priority = '', output = ''] = found;
    const at = Date.parse(`1970-01-01T${clock}Z`);
    if (Number.isNaN(at)) return undefined;
    if (at < this.#last - dayMs / 2) this.#day += dayMs;
    this.#last = at;
    const time = `${new Date(this.#day + at).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}Z`;
    const fields: Record<string, string> = {};
    // The last wins: Falco writes the container's own fields after what a process may have chosen.
    for (const [, name = '', value = ''] of output.matchAll(/(?<=[ (])([a-z0-9_]+)=(.*?)(?=(?: [a-z0-9_]+=)|\)?$)/g)) {
      const field = Object.hasOwn(fieldOf, name) ? fieldOf[name] : undefined;
      if (field !== undefined && value !== '<NA>' && value !== '') fields[field] = value;
    }
    const program = fields['proc.cmdline']?.split(' ')[0]?.split('/').at(-1);
    if (fields['proc.name'] === undefined && program !== undefined) fields['proc.name'] = program;
    return JSON.stringify({ rule: ruleOf(output), priority, time, source: 'syscall', output, output_fields: fields });
  }
}

const dayMs = 86_400_000;

/** Whether the first lines look like text; a log of JSON is not decoded twice. */
function isLikely(bytes: Uint8Array): boolean {
  return anyLine.test(Buffer.from(bytes.subarray(0, 65_536)).toString('latin1'));
}

function ruleOf(output: string): string {
  const known = names.find((name) => output.startsWith(name)) ?? beginnings.find(([start]) => output.startsWith(start))?.[1];
  return known ?? (output.split(/[|(]/)[0]?.trim().slice(0, 200) || 'Falco');
}
