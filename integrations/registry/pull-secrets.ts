/** A user of a registry, from a pull secret. It never leaves the activity. */
export interface RegistryCredential {
  readonly user: string;
  readonly password: string;
}

/**
 * The credentials for one repository, most specific entry first, from the texts of `.dockerconfigjson` (and `.dockercfg`) Secrets. An entry's key is a host,
 * with or without a scheme and a path. https://kubernetes.io/docs/concepts/containers/images/#config-json
 */
export function credentialsFor(configs: readonly string[], host: string, path: string): readonly RegistryCredential[] {
  const wanted = `${host}/${path}`;
  return configs
    .flatMap(entriesOf)
    .flatMap(([key, entry]) => {
      const place = placeOf(key);
      const credential = credentialIn(entry);
      return credential && covers(place, wanted) ? [{ place, credential }] : [];
    })
    .sort((a, b) => b.place.length - a.place.length)
    .map(({ credential }) => credential);
}

function entriesOf(text: string): readonly [string, unknown][] {
  try {
    const parsed: unknown = JSON.parse(text);
    const auths = fieldOf(parsed, 'auths') ?? parsed;
    return typeof auths === 'object' && auths !== null ? Object.entries(auths) : [];
  } catch {
    return [];
  }
}

/** The Hub's own tools write `https://index.docker.io/v1/`. */
function placeOf(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}

/** A `*` in a host matches one label. */
function covers(place: string, wanted: string): boolean {
  const [host = '', ...path] = place.split('/');
  const [wantedHost = '', ...wantedPath] = wanted.split('/');
  const labels = host.split('.');
  const wantedLabels = wantedHost.split('.');
  if (labels.length !== wantedLabels.length) return false;
  if (!labels.every((label, index) => label === '*' || label === wantedLabels[index])) return false;
  return path.every((part, index) => part === wantedPath[index]);
}

function credentialIn(entry: unknown): RegistryCredential | undefined {
  const [user, password, auth] = ['username', 'password', 'auth'].map((name) => fieldOf(entry, name));
  if (typeof user === 'string' && typeof password === 'string') return { user, password };
  if (typeof auth !== 'string') return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}
