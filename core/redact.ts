/**
 * Takes known shapes of secrets out of a text: each becomes `[redacted:kind]`, with what names it left in place, so that
 * a command line stays readable. It is a net, not a proof: whole raw texts are only ever kept encrypted.
 * Every pattern runs in linear time over bounded texts, since the texts are the attacker's.
 */
export function redactSecrets(text: string): string {
  if (!anySign.test(text)) return text;
  let redacted = text;
  const lower = text.toLowerCase();
  for (const { kind, signs, pattern } of shapes) {
    if (!signs.some((sign) => lower.includes(sign))) continue;
    redacted = redacted.replace(pattern, (whole: string, before: unknown) => {
      const kept = typeof before === 'string' ? before : '';
      return whole.slice(kept.length).startsWith('[redacted:') ? whole : `${kept}[redacted:${kind}]`;
    });
  }
  return redacted;
}

interface Shape {
  readonly kind: string;
  /** In lower case; without any of these in the text there is nothing to look for. Most texts have none. */
  readonly signs: readonly string[];
  /** The first group, where there is one, is kept: it must be at the start of the match. */
  readonly pattern: RegExp;
}

/** A value on a command line or in a configuration: quoted, or up to the next blank or separator. */
const value = String.raw`(?:"(?:[^"\\]|\\.){1,4096}"?|'[^']{1,4096}'?|[^\s"'&;,|<>]{1,4096})`;
const word = '(?<![A-Za-z])';
const secretName = [
  'pass(?:word|wd|phrase|code)?',
  'pwd',
  'secret(?:[_-]?(?:access[_-]?)?key)?',
  '(?:access|auth|refresh|session|bearer|api|id|csrf)?[_-]?token',
  '(?:api|access|account|private|encryption|signing|master|shared|storage)[_-]?key',
  'client[_-]?secret',
  'credentials?',
  'connection[_-]?string',
].join('|');

/** Every secret's name has one of these in it. */
const nameSigns = ['pass', 'pwd', 'secret', 'token', 'key', 'credential', 'connection'];

const shapes: readonly Shape[] = [
  {
    kind: 'private-key',
    signs: ['private key'],
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  { kind: 'jwt', signs: ['eyj'], pattern: /\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?/g },
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
  // The whole userinfo: a token is often put where the name goes.
  { kind: 'userinfo', signs: ['://'], pattern: /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/@"'<>?#]{1,2048}(?=@)/gi },
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
      /(\b(?:x-[\w-]{0,30}(?:token|key|secret|auth)|private-token|api-?key|cookie|set-cookie)["']?:\s{0,4})[^"'\r\n]{1,4096}/gi,
  },
  // PASSWORD=x, db.password: x, "token":"x", MYSQL_PWD=x, ?access_token=x
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(
      `((?:[\\w.-]{0,40}?[_.-])?${word}[a-z]{0,20}?(?:${secretName})["']?\\s{0,2}(?:=|:(?![/:]))\\s{0,2})${value}`,
      'gi',
    ),
  },
  // --password x, --api-key x, -password x
  {
    kind: 'secret',
    signs: nameSigns,
    pattern: new RegExp(`((?<![\\w-])--?(?:[a-z]{1,20}-){0,3}(?:${secretName})\\s{1,4})(?!-)${value}`, 'gi'),
  },
  {
    kind: 'password',
    signs: ['mysql', 'mariadb'],
    pattern: new RegExp(
      `(\\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mariadb|mariadb-dump|mariadb-admin)\\b(?:[^|;&\\n]{0,512}?)\\s-p)${value}`,
      'g',
    ),
  },
  { kind: 'password', signs: ['sshpass'], pattern: new RegExp(`(\\bsshpass\\s{1,4}-p\\s{0,4})${value}`, 'g') },
  {
    kind: 'password',
    signs: ['docker', 'podman', 'nerdctl', 'helm', 'skopeo', 'buildah', 'mongo', 'az login', 'az acr', 'oc login'],
    pattern: new RegExp(
      `(\\b(?:docker|podman|nerdctl|helm|skopeo|buildah|mongo|mongosh|mongodump|az|oc)\\b(?:[^|;&\\n]{0,512}?)\\s-p\\s{1,4})(?![\\d:]+(?:\\s|$))${value}`,
      'g',
    ),
  },
  {
    kind: 'password',
    signs: ['redis-cli'],
    pattern: new RegExp(`(\\bredis-cli\\b(?:[^|;&\\n]{0,512}?)\\s-a\\s{0,4})${value}`, 'g'),
  },
  {
    kind: 'password',
    signs: ['ldap'],
    pattern: new RegExp(`(\\bldap(?:search|modify|add|delete|whoami|passwd)\\b(?:[^|;&\\n]{0,512}?)\\s-w\\s{0,4})${value}`, 'g'),
  },
  {
    kind: 'password',
    signs: ['-u', '--user', '--proxy-user'],
    pattern: /((?<![\w-])(?:-u|-U|--user|--proxy-user)[\s=]{0,4}["']?[^\s:%"'/]{1,256}[:%])(?!\/\/)[^\s"']{1,1024}/g,
  },
  { kind: 'password', signs: ['pass:'], pattern: /((?<![A-Za-z])pass:)[^\s"']{1,1024}/g },
  {
    kind: 'password',
    signs: ['chpasswd'],
    pattern: /(\becho\s+["']?[\w.-]{1,64}:)[^\s"'|]{1,1024}(?=["']?\s*\|\s*(?:sudo\s+)?chpasswd)/g,
  },
];

/** One look for all signs together: most texts have none. */
const anySign = new RegExp(
  [...new Set(shapes.flatMap(({ signs }) => signs))].map((sign) => sign.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')).join('|'),
  'i',
);
