import { createHash } from 'node:crypto';
import { z } from 'zod';

/** A component of CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/ */
interface Component {
  readonly type: 'library' | 'application' | 'container';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-512' | 'SHA-256'; readonly content: string }[];
  readonly licenses?: readonly ({ readonly license: { readonly id: string } } | { readonly expression: string })[];
}

interface BillOfMaterials {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      license: z.string().optional(),
      dev: z.boolean().optional(),
      link: z.boolean().optional(),
      dependencies: z.record(z.string(), z.string()).optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
      devDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});
type Locked = z.infer<typeof lockSchema>['packages'];

/** Everything in a release besides its own files: packages of the lock in the program or installed next to it, and Debian's in the image. */
export function billOfMaterials(options: {
  readonly version: string;
  /** ISO 8601: the time of the commit, so that the same commit gives the same list. */
  readonly at: string;
  readonly lock: unknown;
  /** Paths of the packages that the program contains parts of, as in the lock. */
  readonly bundled: readonly string[];
  /** By file name: `libc6_2.36-9_amd64.deb`. */
  readonly debian: readonly string[];
  readonly imageDigest?: string;
}): BillOfMaterials {
  const { version, at, debian, imageDigest } = options;
  const locked = lockSchema.parse(options.lock).packages;
  const bundled = new Set(options.bundled);
  const isUsed = (place: string): boolean => place === '' || bundled.has(place) || locked[place]?.dev !== true;
  const packages = Object.fromEntries(Object.entries(locked).filter(([place]) => isUsed(place)));
  const used = Object.entries(packages).filter(([place, { link }]) => place !== '' && !link);
  const own = npmPurl('firebreak', version);
  const ofNpm = used.map(([place, { version: found = '', integrity, license }]): Component => {
    const name = nameOf(place);
    return {
      type: 'library',
      'bom-ref': refOf(place, packages),
      name,
      version: found,
      purl: npmPurl(name, found),
      ...(integrity?.startsWith('sha512-') && {
        hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }],
      }),
      ...(license !== undefined && {
        licenses: [/[ ()]/.test(license) ? { expression: license } : { license: { id: license } }],
      }),
    };
  });
  const ofDebian = [...new Set(debian)].flatMap((file): readonly Component[] => {
    const [, name, found = '', architecture] = /^([^_]+)_([^_]+)_([^_.]+)\.deb$/.exec(file) ?? [];
    if (name === undefined) return [];
    const written = decodeURIComponent(found);
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(written)}?arch=${architecture}`;
    return [{ type: 'library', 'bom-ref': purl, name, version: written, purl }];
  });
  const components = unique([...ofNpm, ...ofDebian]);
  const dependencies = [
    { ref: own, dependsOn: [...dependsOn('', packages), ...ofDebian.map((one) => one['bom-ref'])].sort() },
    ...uniqueRefs(used.map(([place]) => ({ ref: refOf(place, packages), dependsOn: [...dependsOn(place, packages)].sort() }))),
  ];
  const component: Component = {
    type: imageDigest === undefined ? 'application' : 'container',
    'bom-ref': own,
    name: 'firebreak',
    version,
    purl: own,
    licenses: [{ license: { id: 'Apache-2.0' } }],
    ...(imageDigest !== undefined && { hashes: [{ alg: 'SHA-256', content: imageDigest.replace('sha256:', '') }] }),
  };
  const id = createHash('sha256')
    .update(JSON.stringify([version, at, components]))
    .digest('hex');
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(id)}`,
    version: 1,
    metadata: { timestamp: at, component },
    components,
    dependencies,
  };
}

function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** Two copies of one version in different folders are one component. */
function refOf(place: string, packages: Locked): string {
  return npmPurl(nameOf(place), packages[place]?.version ?? '');
}

/** Resolves as Node does: in the package's folder, then in those above. Our own package lists what the build bundles in devDependencies. */
function dependsOn(place: string, packages: Locked): ReadonlySet<string> {
  const found = packages[place];
  const wanted = { ...found?.dependencies, ...found?.optionalDependencies, ...found?.devDependencies };
  const refs = Object.keys(wanted).flatMap((name) => {
    for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
      const at = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
      if (packages[at]) return [refOf(at, packages)];
      if (folder === '') return [];
    }
  });
  return new Set(refs);
}

function unique(components: readonly Component[]): readonly Component[] {
  const byRef = new Map(components.map((one) => [one['bom-ref'], one]));
  return [...byRef.values()].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));
}

function uniqueRefs(all: readonly BillOfMaterials['dependencies'][number][]): BillOfMaterials['dependencies'] {
  const byRef = new Map<string, Set<string>>();
  for (const { ref, dependsOn: refs } of all) byRef.set(ref, new Set([...(byRef.get(ref) ?? []), ...refs]));
  return [...byRef].map(([ref, refs]) => ({ ref, dependsOn: [...refs].sort() })).sort((a, b) => (a.ref < b.ref ? -1 : 1));
}

/** Version 8 of RFC 9562: derived from the content that it identifies, not from the time. */
function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
