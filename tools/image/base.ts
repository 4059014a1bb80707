import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { pack } from './oci.ts';

export type Architecture = 'amd64' | 'arm64';

/** Parses a comma-separated list; undefined if it is empty or names an architecture without images. */
export function architecturesIn(text: string): readonly Architecture[] | undefined {
  const named = text.split(',').map((one) => one.trim());
  const known = named.filter((one): one is Architecture => one === 'amd64' || one === 'arm64');
  return known.length === named.length ? [...new Set(known)] : undefined;
}

/** Debian packages: the libraries that Node and the native modules link with, the certificates, and the time zones. */
const packages = ['base-files', 'netbase', 'libc6', 'libgcc-s1', 'libstdc++6', 'ca-certificates', 'tzdata'] as const;

/** Node and Temporal's core need a C library of 2018 at most; this release gets security updates until 2028. */
const suite = 'bookworm';

/** The only files taken from them: no shell, no package manager, no program at all. */
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

/** Why no image can be made on this machine; undefined if one can. */
export function missingForImages(): string | undefined {
  if (!findOnPath('mmdebstrap')) return 'mmdebstrap, from the Debian package of that name';
  if (!findOnPath('tar')) return 'GNU tar';
  return undefined;
}

/** A layer of an image: an archive stored in the cache. */
interface BaseLayer {
  readonly file: string;
  /** Debian packages that the layer contains parts of, by file name: `libc6_2.36-9_amd64.deb`. */
  readonly packages: readonly string[];
}

/**
 * Returns the layer with the parts of Debian that the program needs. The packages come by apt, which checks their signatures. With `fresh`, for a release, they
 * are today's; otherwise those of their first use on this machine. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function baseLayer(options: {
  readonly architecture: Architecture;
  readonly fresh: boolean;
  readonly onProgress: OnProgress;
}): Promise<BaseLayer> {
  const { architecture, fresh, onProgress } = options;
  const hash = createHash('sha256').update(JSON.stringify([suite, packages, taken, account]));
  const folder = await cachedPart({
    name: `image-base-${architecture}${fresh ? `-${new Date().toISOString().slice(0, 10)}` : ''}`,
    version: hash.digest('hex').slice(0, 16),
    source: `Debian ${suite}: ${packages.join(', ')}`,
    onProgress,
    install: (draft, run) =>
      withProgress({
        what: `fetching Debian's libraries for the image for ${architecture}`,
        onProgress,
        work: async () => {
          const [all, root, list] = [join(draft, 'all'), join(draft, 'root'), join(draft, 'list')];
          const { code, stderr } = await run({
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
          await pack(root, join(draft, 'layer.tar'));
          for (const path of [all, root]) rmSync(path, { recursive: true, force: true });
        },
      }),
  });
  const fetched = readFileSync(join(folder, 'list'), 'utf8').split('\n');
  const named = packages.map((name) => fetched.find((file) => file.startsWith(`${name}_`)) ?? name);
  return { file: join(folder, 'layer.tar'), packages: named.sort() };
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

/** Does what the package's installation script would do: puts all certificates into the one file that programs look for. */
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
