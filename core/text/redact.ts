/**
 * Removes known shapes of secrets from a text: each becomes `[redacted:kind]`, and its name is left in place so that a command line stays readable. It is a
 * safety net, not a guarantee: whole raw texts are only ever kept encrypted.
 *
 * The texts are the attacker's, so each shape is searched for in linear time: a pattern begins with its rare part, never with a run of any characters, and what
 * it cannot decide without reading the same characters again is decided in code.
 */
export function redactSecrets(text: string): string {
  if (!anySign.test(text)) return text;
  let redacted = text;
  const lower = text.toLowerCase();
  for (const shape of shapes) {
    if (shape.signs.some((sign) => lower.includes(sign))) redacted = withoutShape(redacted, shape);
  }
  return redacted;
}

interface Shape {
  readonly kind: string;
  /** Lower-case substrings: if the text contains none of them, the shape is skipped. Most texts contain none. */
  readonly signs: readonly string[];
  /** The first group, if there is one, is kept: it must be at the start of the match. */
  readonly pattern: RegExp;
  /** How much of a match is kept, if a group cannot express it; undefined for all of it. */
  readonly kept?: (whole: string) => number | undefined;
  /** Applies only to the command lines of these programs, each up to the next separator. */
  readonly program?: RegExp;
}

function withoutShape(text: string, shape: Shape): string {
  if (shape.program !== undefined) return withoutFlagOf(text, { ...shape, program: shape.program });
  return text.replace(shape.pattern, (whole: string, before: unknown) => {
    const kept = shape.kept === undefined ? (typeof before === 'string' ? before.length : 0) : shape.kept(whole);
    return kept === undefined ? whole : marked(whole, kept, shape.kind);
  });
}

function marked(whole: string, kept: number, kind: string): string {
  return whole.startsWith('[redacted:', kept) ? whole : `${whole.slice(0, kept)}[redacted:${kind}]`;
}

const separator = /[|;&\n]/g;

/** Scans the text once, in and out of the programs' command lines: a pattern that spanned from program to flag would start over at each one. */
function withoutFlagOf(text: string, { kind, pattern, program }: Shape & { readonly program: RegExp }): string {
  const [nextProgram, nextFlag, nextSeparator] = [program, pattern, separator].map((one) => searchIn(text, one));
  const done: string[] = [];
  let at = 0;
  for (let found = nextProgram?.(at); found; found = nextProgram?.(at)) {
    let inside = found.index + found[0].length;
    done.push(text.slice(at, inside));
    const endOfCommand = (): number => nextSeparator?.(inside)?.index ?? text.length;
    for (let flag = nextFlag?.(inside); flag && flag.index < endOfCommand(); flag = nextFlag?.(inside)) {
      done.push(text.slice(inside, flag.index), marked(flag[0], flag[1]?.length ?? 0, kind));
      inside = flag.index + flag[0].length;
    }
    at = endOfCommand();
    done.push(text.slice(inside, at));
  }
  return done.join('') + text.slice(at);
}

/** The first match at or after a position, for positions that only increase: a match found further on is not searched for again. */
function searchIn(text: string, pattern: RegExp): (at: number) => RegExpExecArray | null {
  let found: RegExpExecArray | null | undefined;
  return (at) => {
    if (found === undefined || (found !== null && found.index < at)) {
      pattern.lastIndex = at;
      found = pattern.exec(text);
    }
    return found;
  };
}

/** A value on a command line or in a configuration: quoted, or up to the next blank or separator. */
const value = String.raw`(?:"(?:[^"\\]|\\.){1,4096}"?|'[^']{1,4096}'?|[^\s"'&;,|<>]{1,4096})`;
/** How a secret's name ends. Any prefix (`DB_`, `spring.datasource.`) is irrelevant, and stays in place. */
const secretName = [
  'pass(?:word|wd|phrase|code)?',
  'pwd',
  'secret(?:[_-]?(?:access[_-]?)?key)?',
  'token',
  '(?:api|access|account|private|encryption|signing|master|shared|storage)[_-]?key',
  'credentials?',
  'connection[_-]?string',
].join('|');

/** Every secret's name contains one of these. */
const nameSigns = ['pass', 'pwd', 'secret', 'token', 'key', 'credential', 'connection'];

const shapes: readonly Shape[] = [
  {
    kind: 'private-key',
    signs: ['private key'],
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  {
    kind: 'jwt',
    signs: ['eyj'],
    pattern: /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
    // A single such part could be any JSON in base64.
    kept: (whole) => ((whole.split('.', 2)[1]?.length ?? 0) >= 4 ? 0 : undefined),
  },
  {
    kind: 'aws-key',
    signs: ['akia', 'asia', 'agpa', 'aida', 'aroa', 'anpa', 'abia', 'acca'],
    pattern: /\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[A-Z0-9]{16}\b/g,
  },
  {
    kind: 'github-token',
    signs: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    pattern: /\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,})/g,
  },
  { kind: 'gitlab-token', signs: ['gl'], pattern: /\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w.-]{16,}/g },
  { kind: 'slack-token', signs: ['xox', 'xapp-', 'xwfp-'], pattern: /\b(?:xox[a-z]|xapp|xwfp)-[\w-]{8,}/g },
  {
    kind: 'slack-webhook',
    signs: ['hooks.slack.com'],
    pattern: /(\bhooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]+/g,
  },
  { kind: 'google-key', signs: ['aiza'], pattern: /\bAIza[\w-]{30,}/g },
  { kind: 'google-token', signs: ['ya29.'], pattern: /\bya29\.[\w-]{16,}/g },
  { kind: 'stripe-key', signs: ['sk_', 'rk_', 'whsec_'], pattern: /\b(?:sk|rk|whsec)_(?:live_|test_)?\w{16,}/g },
  {
    kind: 'api-key',
    signs: ['sk-', 'sg.', 'hf_', 'npm_', 'pypi-', 'dop_v1_', 'hvs.', 'hvb.'],
    pattern:
      /\b(?:sk-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|hf_\w{20,}|npm_\w{30,}|pypi-[\w-]{30,}|dop_v1_\w{30,}|hv[sb]\.[\w-]{20,})/g,
  },
  // The whole userinfo: a token often takes the place of the user name.
  { kind: 'userinfo', signs: ['://'], pattern: /(:\/\/)[^\s/@"'<>?#]{1,2048}(?=@)/g },
  {
    kind: 'authorization',
    signs: ['authorization'],
    pattern:
      /(\b(?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|token|digest|apikey|negotiate)\s{1,4})?)(?!bearer|basic|token)[^\s"',;]+/gi,
  },
  { kind: 'bearer', signs: ['bearer'], pattern: /(\bbearer\s{1,4})(?=[\w~+/.=-]*[\d._+/=-])[\w~+/.=-]{8,}/gi },
  {
    kind: 'header',
    signs: ['x-', 'private-token', 'apikey', 'api-key', 'cookie'],
    pattern:
      /((?:(?:token|key|secret|auth)(?<=\bx-[\w-]{0,36})|\b(?:private-token|api-?key|cookie|set-cookie))["']?:\s{0,4})[^"'\r\n]{1,4096}/gi,
  },
  // PASSWORD=x, db.password: x, "token":"x", MYSQL_PWD=x, ?access_token=x
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(`((?:${secretName})["']?\\s{0,2}(?:=|:(?![/:]))\\s{0,2})${value}`, 'gi'),
  },
  // --password x, --api-key x, -password x
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(`((?<![\\w-])--?(?:[a-z]{1,20}[_-]){0,3}(?:${secretName})\\s{1,4})(?!-)${value}`, 'gi'),
  },
  // JSON within a text: \"password\":\"x\", however often it was escaped.
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(`((?:${secretName})\\\\{1,16}["']\\s{0,2}:\\s{0,2}\\\\{1,16}["'])[^\\\\"']{1,4096}`, 'gi'),
  },
  // A form that was encoded again, within a URL: password%3Dx
  {
    kind: 'secret',
    signs: ['%3d'],
    pattern: new RegExp(`((?:${secretName})%3d)(?:[^\\s"'&;,|<>%]|%(?!26)){1,4096}`, 'gi'),
  },
  // Arguments as a list: ["--password", "x"], or separated by a zero byte.
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(
      `((?<![\\w-])--?(?:[a-z]{1,20}[_-]){0,3}(?:${secretName})(?:\\0|["']\\s{0,2},\\s{0,2}["']))(?!-)[^"'\\0]{1,4096}`,
      'gi',
    ),
  },
  {
    kind: 'password',
    signs: ['mysql', 'mariadb'],
    program: /\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mariadb|mariadb-dump|mariadb-admin)\b/g,
    pattern: new RegExp(`(\\s-p)${value}`, 'g'),
  },
  { kind: 'password', signs: ['sshpass'], pattern: new RegExp(`(\\bsshpass\\s{1,4}-p\\s{0,4})${value}`, 'g') },
  {
    kind: 'password',
    signs: ['docker', 'podman', 'nerdctl', 'helm', 'skopeo', 'buildah', 'mongo', 'az login', 'az acr', 'oc login'],
    program: /\b(?:docker|podman|nerdctl|helm|skopeo|buildah|mongo|mongosh|mongodump|az|oc)\b/g,
    pattern: new RegExp(`(\\s-p\\s{1,4})(?![\\d:]{1,32}(?:\\s|$))${value}`, 'g'),
  },
  {
    kind: 'password',
    signs: ['redis-cli'],
    program: /\bredis-cli\b/g,
    pattern: new RegExp(`(\\s-a\\s{0,4})${value}`, 'g'),
  },
  {
    kind: 'password',
    signs: ['ldap'],
    program: /\bldap(?:search|modify|add|delete|whoami|passwd)\b/g,
    pattern: new RegExp(`(\\s-w\\s{0,4})${value}`, 'g'),
  },
  {
    kind: 'password',
    signs: ['-u', '--user', '--proxy-user'],
    pattern: /(?<![\w-])(?:-u|-U|--user|--proxy-user)[\s=]{0,4}["']?[^\s"']{3,}/g,
    kept: keptOfUser,
  },
  { kind: 'password', signs: ['pass:'], pattern: /((?<![A-Za-z])pass:)[^\s"']{1,1024}/g },
  {
    kind: 'password',
    signs: ['chpasswd'],
    pattern: /(\becho\s+["']?[\w.-]{1,64}:)[^\s"'|]{1,1024}(?=["']?\s*\|\s*(?:sudo\s+)?chpasswd)/g,
  },
];

/** One search for all signs together: most texts contain none. */
const anySign = new RegExp(
  [...new Set(shapes.flatMap(({ signs }) => signs))].map((sign) => sign.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')).join('|'),
  'i',
);

/** `-u name:password` of curl, and `-U name%password` of smbclient; a URL is neither. */
function keptOfUser(whole: string): number | undefined {
  const start = whole.search(userStart);
  const end = start + whole.slice(start).search(/[:%/]/);
  if (end <= start || whole[end] === '/' || end + 1 === whole.length || whole.startsWith('//', end + 1)) return undefined;
  return end + 1;
}

const userStart = /(?<=^(?:-u|-U|--user|--proxy-user)[\s=]{0,4}["']?)[^\s"'=]/;
