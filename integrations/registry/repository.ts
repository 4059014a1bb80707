import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Descriptor, ImageManifest, ImageRepository } from '../../core/cluster/image-registry.ts';
import { FirebreakError } from '../../core/errors.ts';
import { basicOf, challengeIn, tokenIn } from './challenge.ts';
import { get, type KnownHost, type RegistryAnswer, unavailable } from './get.ts';
import type { RegistryCredential } from './pull-secrets.ts';

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
/** The size that a registry must accept at least, by the specification: nobody needs larger ones. */
const manifestBytes = 4_194_304;
const tokenBytes = 65_536;
const mostReferrers = 50;
const mostCredentials = 5;

interface RepositoryOptions {
  /** As written in the image name: `registry.example.com:5000`, `docker.io`. */
  readonly host: string;
  /** `shop/cart` */
  readonly path: string;
  /** Tried in order; without any, requests are anonymous. */
  readonly credentials: readonly RegistryCredential[];
  readonly known: readonly KnownHost[];
  /** Aborts all requests. */
  readonly signal: AbortSignal;
}

/** Host of a registry's API. The Hub's differs from its name. */
export function apiHostOf(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host;
}

/**
 * Opens one repository for reading, by the distribution specification: https://github.com/opencontainers/distribution-spec/blob/main/spec.md Makes no request
 * yet.
 */
export function openRepository(options: RepositoryOptions): ImageRepository {
  const { known, path, signal } = options;
  const host = apiHostOf(options.host);
  const plain = known.some((one) => one.host === host && one.plainHttp === true);
  const base = `${plain ? 'http' : 'https'}://${host}/v2/${path}`;
  let authorization: string | undefined;

  const ask = (url: string, accept: string, maxBytes: number): Promise<RegistryAnswer> =>
    get({ known, url: new URL(url), accept, maxBytes, authorization, signal });

  /** Authenticates once if the registry asks for it; of several credentials, uses the first that is accepted. */
  const read = async (url: string, accept: string, maxBytes: number): Promise<RegistryAnswer | undefined> => {
    let answer = await ask(url, accept, maxBytes);
    const challenge = answer.status === 401 ? challengeIn(answer.header('www-authenticate')) : undefined;
    if (challenge) {
      const credentials = plain ? [] : options.credentials.slice(0, mostCredentials);
      for (const credential of credentials.length > 0 ? credentials : [undefined]) {
        authorization = challenge.scheme === 'basic' ? credential && basicOf(credential) : await tokenFor(challenge, credential);
        if (authorization === undefined) continue;
        answer = await ask(url, accept, maxBytes);
        if (answer.status !== 401 && answer.status !== 403) break;
      }
    }
    if (answer.status === 404) return undefined;
    if (answer.status === 200) return answer;
    const refused = answer.status === 401 || answer.status === 403;
    throw refused
      ? new FirebreakError('FB_ERR_REFUSED', `${host}: it does not allow us to read ${path} (HTTP ${answer.status})`)
      : unavailable(host, `it answered with HTTP ${answer.status}`);
  };

  const tokenFor = async (
    { realm, service, scope }: Extract<ReturnType<typeof challengeIn>, { scheme: 'bearer' }>,
    credential: RegistryCredential | undefined,
  ): Promise<string | undefined> => {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope ?? `repository:${path}:pull`);
    const basic = credential && basicOf(credential);
    const answer = await get({ known, url, accept: 'application/json', maxBytes: tokenBytes, authorization: basic, signal });
    const token = answer.status === 200 ? tokenIn(answer.body) : undefined;
    if (token === undefined && answer.status >= 500) throw unavailable(realm.host, `it answered with HTTP ${answer.status}`);
    return token === undefined ? undefined : `Bearer ${token}`;
  };

  const manifest = async (reference: string): Promise<ImageManifest | undefined> => {
    const answer = await read(`${base}/manifests/${reference}`, manifestTypes, manifestBytes);
    if (!answer) return undefined;
    const digest = digestOfBytes(answer.body);
    if (reference.includes(':') && digest !== reference)
      throw unavailable(host, `what it returned for ${reference} has a different digest`);
    const found = manifestIn(answer.body, digest);
    if (!found) throw unavailable(host, `what it returned for ${reference} is not a manifest`);
    return found;
  };

  return {
    manifest,
    blob: async (descriptor: Descriptor) => {
      const answer = await read(`${base}/blobs/${descriptor.digest}`, '*/*', descriptor.size);
      if (!answer) throw new FirebreakError('FB_ERR_NOT_FOUND', `${host}: it lists ${descriptor.digest}, but does not have it`);
      if (digestOfBytes(answer.body) !== descriptor.digest)
        throw unavailable(host, `what it returned for ${descriptor.digest} has a different digest`);
      return answer.body;
    },
    referrers: async (digest) => {
      const answer = await read(`${base}/referrers/${digest}`, manifestTypes, manifestBytes);
      // Registries without this endpoint list the referrers under a tag.
      const list = answer ? manifestIn(answer.body, digest) : await manifest(digest.replace(':', '-'));
      const found = list?.manifests ?? [];
      const more = answer?.header('link') !== undefined || found.length > mostReferrers;
      return { found: found.slice(0, mostReferrers), all: !more };
    },
  };
}

function digestOfBytes(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const platform = z.object({ os: z.string().exactOptional(), architecture: z.string().exactOptional() });
const descriptor: z.ZodType<Descriptor> = z.object({
  mediaType: z.string().max(255),
  digest,
  size: z.int().min(0),
  artifactType: z.string().max(255).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  platform: platform.exactOptional(),
});
const manifest = z.object({
  mediaType: z.string().max(255).default(''),
  artifactType: z.string().max(255).exactOptional(),
  config: descriptor.exactOptional(),
  layers: z.array(descriptor).max(1_000).default([]),
  manifests: z.array(descriptor).max(1_000).exactOptional(),
});

/** The manifest or the index in these bytes; undefined if they are neither. Digests other than SHA-256 are not supported. */
export function manifestIn(bytes: Buffer, digestOfBytes: string): ImageManifest | undefined {
  try {
    const parsed = manifest.safeParse(JSON.parse(bytes.toString('utf8')));
    return parsed.success ? { ...parsed.data, digest: digestOfBytes } : undefined;
  } catch {
    return undefined;
  }
}
