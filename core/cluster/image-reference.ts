/** A parsed image reference. */
interface ImageReference {
  /** Includes the registry, if the reference does. */
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

/** https://pkg.go.dev/github.com/distribution/reference: `[registry/]path[:tag][@digest]`. */
export function parseReference(text: string): ImageReference {
  const [named = '', digest] = text.split('@');
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const repository = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : digest === undefined ? 'latest' : undefined;
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** Returns every way in which a pod can write this tag: with and without the default registry and the default `latest`. */
export function spellingsOf({ repository, tag }: ImageReference): readonly string[] {
  if (tag === undefined) return [];
  const repositories = spellingsOfRepository(repository);
  return repositories.flatMap((one) => [`${one}:${tag}`, ...(tag === 'latest' ? [one] : [])]);
}

function spellingsOfRepository(repository: string): readonly string[] {
  const [first = '', ...rest] = repository.split('/');
  const isHub = first === 'docker.io' || first === 'index.docker.io';
  const hasRegistry = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  if (hasRegistry && !isHub) return [repository];
  const path = isHub ? rest.join('/') : repository;
  const short = path.startsWith('library/') ? path.slice('library/'.length) : path;
  const paths = short.includes('/') ? [short] : [short, `library/${short}`];
  return paths.flatMap((one) => [one, `docker.io/${one}`, `index.docker.io/${one}`]);
}

/** Returns host and path of a repository as a registry knows them: `cart` is `docker.io` and `library/cart`. */
export function placeOf(repository: string): { readonly host: string; readonly path: string } {
  const [first = '', ...rest] = repository.split('/');
  const hasRegistry = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  const path = hasRegistry ? rest.join('/') : repository;
  const isHub = !hasRegistry || first === 'index.docker.io' || first === 'docker.io';
  if (!isHub) return { host: first, path };
  return { host: 'docker.io', path: path.includes('/') ? path : `library/${path}` };
}
