import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { findOnPath, runCommand } from '../../service/parts/command.ts';

export type Architecture = 'amd64' | 'arm64';

/** Of Debian's, what Node and the native modules link with, the certificates, and the time zones. */
const packages = ['base-files', 'netbase', 'libc6', 'libgcc-s1', 'libstdc++6', 'ca-certificates', 'tzdata'] as const;

/** Node and Temporal's core ask for a C library of 2018 at most; this release gets security updates until 2028. */
const suite = 'bookworm';

/** What is taken of them, and nothing else: no shell, no package manager, no program at all. */
const taken = [
  'etc/debian_version',
  'etc/protocols',
  'etc/services',
  'lib',
  'lib64',
  'usr/lib/os-release',
  'usr/share/common-licenses',
  'usr/share/zoneinfo',
] as const;
const takenLibraries = /^lib(gcc_s|stdc\+\+)\.so/;

/** The account that Firebreak runs as. */
export const account = 65_532;

/** Why no image can be made on this machine; undefined where one can. */
export function missingForImages(): string | undefined {
  if (!findOnPath('mmdebstrap')) return 'mmdebstrap, of the Debian package of this name';
  if (!findOnPath('tar')) return 'GNU tar';
  return undefined;
}

/**
 * Fills `root` with the parts of Debian that the program needs. The packages come by apt, which checks their signatures. Returns the packages
 * as their files are named, `libc6_2.36-9_amd64.deb`. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function fillBase(options: {
  readonly root: string;
  readonly architecture: Architecture;
  /** For what is thrown away. */
  readonly folder: string;
}): Promise<readonly string[]> {
  const { root, architecture, folder } = options;
  const work = mkdtempSync(join(folder, 'debian-'));
  try {
    const [all, list] = [join(work, 'all'), join(work, 'packages')];
    const { code, stderr } = await runCommand({
      command: 'mmdebstrap',
      args: [
        ...['--variant=extract', `--architectures=${architecture}`, '--format=directory', '--quiet'],
        ...['--skip=output/dev,check/qemu', `--include=${packages.join(',')}`],
        ...[`--extract-hook=ls "$1/var/cache/apt/archives" > '${list}'`, suite, all],
      ],
    });
    if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `mmdebstrap: ${stderr.trim().slice(-500)}`);
    take(all, root);
    accounts(root);
    const fetched = readFileSync(list, 'utf8').split('\n');
    return packages.map((name) => fetched.find((file) => file.startsWith(`${name}_`)) ?? name).sort();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function take(from: string, root: string): void {
  const copy = (path: string): void => cpSync(join(from, path), join(root, path), { recursive: true, verbatimSymlinks: true });
  for (const path of taken) if (existsSync(join(from, path))) copy(path);
  rmSync(join(root, 'usr', 'share', 'zoneinfo', 'right'), { recursive: true, force: true });
  const libraries = readdirSync(join(from, 'usr', 'lib')).filter((folder) => folder.endsWith('-linux-gnu'));
  for (const folder of libraries)
    for (const file of readdirSync(join(from, 'usr', 'lib', folder)))
      if (takenLibraries.test(file)) copy(join('usr', 'lib', folder, file));
  for (const name of packages) copy(join('usr', 'share', 'doc', name, 'copyright'));
  certificates(from, root);
}

/** What a package's installation script would do: all certificates in the one file that is looked for. */
function certificates(from: string, root: string): void {
  const folder = join(from, 'usr', 'share', 'ca-certificates', 'mozilla');
  const files = readdirSync(folder).filter((file) => basename(file).endsWith('.crt'));
  const all = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trimEnd());
  mkdirSync(join(root, 'etc', 'ssl', 'certs'), { recursive: true });
  writeFileSync(join(root, 'etc', 'ssl', 'certs', 'ca-certificates.crt'), `${all.join('\n')}\n`);
}

function accounts(root: string): void {
  const etc = (name: string, text: string): void => writeFileSync(join(root, 'etc', name), text);
  etc('passwd', `root:x:0:0:root:/:/nologin\nfirebreak:x:${account}:${account}:firebreak:/:/nologin\n`);
  etc('group', `root:x:0:\nfirebreak:x:${account}:\n`);
  etc('nsswitch.conf', 'hosts: files dns\n');
}
