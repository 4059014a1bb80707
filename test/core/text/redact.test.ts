import { describe, expect, test } from '@jest/globals';
import { sensorText, withTextBudget } from '../../../core/alert/sensor-text.ts';
import { redactSecrets } from '../../../core/text/redact.ts';
import { parseAlerts } from '../../../service/intake/read/parse.ts';
import { cpuMsSince } from '../../cpu-time.ts';

describe('redaction', () => {
  test.each([
    ['aws s3 ls --access-key AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
    ['AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG aws s3 ls', 'wJalrXUtnFEMI'],
    ['curl -H "Authorization: Bearer abc.def-123" http://x', 'abc.def-123'],
    ['curl -H "Authorization: Basic YWRtaW46cHc=" http://x', 'YWRtaW46cHc'],
    ['curl -H "X-Api-Key: k1234" http://x', 'k1234'],
    ['curl -H "Cookie: session=s3ss10n" http://x', 's3ss10n'],
    ['curl https://user:pa55@host/x', 'pa55'],
    ['curl https://tok3n@host/x', 'tok3n'],
    ['curl -u admin:pa55 http://x', 'pa55'],
    ['psql postgres://u:p%40ss@h/db', 'p%40ss'],
    ['curl https://x/y?access_token=t0k3n&z=1', 't0k3n'],
    ['mysql -u root -phunter2 db', 'hunter2'],
    ['mysqldump -h db --password=hunter2', 'hunter2'],
    ['app --password hunter2 --verbose', 'hunter2'],
    ["app --token 'hunter two'", 'hunter two'],
    ['PGPASSWORD=hunter2 psql', 'hunter2'],
    ['export DB_PASS=hunter2; run', 'hunter2'],
    ['{"password":"hun\\"ter2","user":"x"}', 'ter2'],
    ['spring.datasource.password: hunter2', 'hunter2'],
    ['sshpass -p hunter2 ssh x', 'hunter2'],
    ['redis-cli -a hunter2 ping', 'hunter2'],
    ['docker login -u me -p hunter2 registry', 'hunter2'],
    ['openssl rsa -passin pass:hunter2', 'hunter2'],
    ['echo root:hunter2 | chpasswd', 'hunter2'],
    ['kubectl create secret generic x --from-literal=password=hunter2', 'hunter2'],
    ['git clone https://ghp_abcdefghijklmnopqrstuvwx012345@github.com/x', 'ghp_abc'],
    ['echo github_pat_11ABCDEFG0123456789_abcdef', '11ABCDEFG'],
    ['echo xoxb-123456789012-abcdefghij', 'abcdefghij'],
    ['curl https://hooks.slack.com/services/T000/B000/XXXX', 'XXXX'],
    ['echo eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'c2lnbmF0dXJl'],
    ['echo "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"', 'MIIEow'],
    ['echo "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz', 'b3BlbnNz'],
    ['glpat-abcdefghij0123456789', 'abcdefghij0123456789'],
    ['curl -d "{\\"user\\":\\"x\\",\\"password\\":\\"hunter2\\"}" http://x', 'hunter2'],
    ['sh -c "curl -d \\"{\\\\\\"token\\\\\\": \\\\\\"hunter2\\\\\\"}\\""', 'hunter2'],
    ['https://x/login?next=%2Fy%3Fpassword%3Dhunter2%26z', 'hunter2'],
    ['{"argv":["mysql","--password","hunter2"]}', 'hunter2'],
    ["['app', '--api-key', 'hunter2']", 'hunter2'],
    ['app\0--db-password\0hunter2\0--verbose', 'hunter2'],
  ])('%s loses its secret', (text, secret) => {
    const redacted = redactSecrets(text);
    expect(redacted).not.toContain(secret);
    expect(redacted).toMatch(/\[redacted:[a-z-]+\]/);
  });

  test.each([
    'cat /etc/passwd',
    'grep -r password /etc',
    'find / -name id_rsa -o -name "*.token"',
    'ssh -p 22 host',
    'docker run -p 8080:80 nginx',
    'mysql -h db -P 3306 -u root -p -e "select 1"',
    'sudo -u root ls',
    'passwd -d root',
    'user=root user_loginuid=-1 command=sh -c id',
    'bearer of bad news',
    '10.1.2.3:35662->198.51.100.7:65535',
    'Search Private Keys or Passwords',
    '["--token","--verbose"]',
    '{\\"passwords\\":[1]}',
  ])('%s stays as it is', (text) => expect(redactSecrets(text)).toBe(text));

  test('says what it removed and keeps the rest', () => {
    expect(redactSecrets('mysql -u root -phunter2 db')).toBe('mysql -u root -p[redacted:password] db');
  });

  test('changes nothing the second time', () => {
    const once = redactSecrets('PGPASSWORD=x psql postgres://u:p@h --password y Authorization: Bearer z1');
    expect(redactSecrets(once)).toBe(once);
  });

  test.each([
    ['JSON in base64 that is not a token', 'echo eyJhIjoxfQaaaaaaaa | base64 -d'],
    ['a URL after -u', 'wget -u http://x/y'],
  ])('leaves %s', (_what, text) => expect(redactSecrets(text)).toBe(text));

  test.each([
    ['of two passwords in one command line', 'docker login -p hunter2 && helm registry login -p hunter3', ['hunter2', 'hunter3']],
    ['after a long list of arguments', `mysql ${'--verbose '.repeat(200)}-phunter2`, ['hunter2']],
    ['with a separator in it', 'mysql -p"hunt;er2" -e x; ls -p x', ['hunt', 'er2']],
    ['after a long name', `${'very_'.repeat(30)}password=hunter2`, ['hunter2']],
    ['after an address without a scheme', 'curl ://u:hunter2@host', ['hunter2']],
  ])('leaves no secret %s', (_what, text, secrets) => {
    for (const secret of secrets) expect(redactSecrets(text)).not.toContain(secret);
  });
});

/** What the patterns begin with, and what they repeat. */
const beginnings = [
  ...[
    'a',
    '-',
    '_',
    '.',
    '://',
    'a://',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    '-----END ',
    'eyJ',
    'eyJaaaaaaaaa',
    'AKIA',
  ],
  ...['ghp_', 'glpat-', 'xoxb-', 'hooks.slack.com/services/', 'AIza', 'ya29.', 'sk_live_', 'sk-', 'SG.', 'SG.aaaaaaaaaaaaaaaaa'],
  ...['authorization', 'Authorization: Bearer ', 'bearer ', 'x-', 'token', 'cookie:', 'x-auth', 'password', 'api_key', '--a-'],
  ...[
    '-password ',
    'mysql ',
    'mysql -p',
    'sshpass -p',
    'docker -p ',
    'redis-cli ',
    'ldapsearch -w',
    '-u',
    '-u a',
    '-u a:',
    'echo a:',
  ],
];
const goingOn = ['', 'a', ' ', '-', '.', '_', '"', '=', ':', '/', '\\', '|', 'a'.repeat(40)];
/** So that every shape is searched for. */
const everySign =
  ' password: pass: eyj mysql docker redis-cli ldap sshpass -u --user chpasswd :// bearer authorization x- cookie private key sk- glpat-';

describe('the cost of a text made to be slow', () => {
  /** The minimum of several runs: other programs on this machine only ever add to it. */
  function cpuMs(work: () => void): number {
    const runs = Array.from({ length: 4 }, () => {
      const started = process.cpuUsage();
      work();
      return cpuMsSince(started);
    });
    return Math.min(...runs);
  }
  const made = (part: string, length: number): string => part.repeat(length / part.length + 1).slice(0, length) + everySign;

  test.each(beginnings)('grows linearly with its length: %j', (beginning) => {
    /** Four times the text takes four times the work; scanning the same characters again for each would take sixteen times. */
    const looksLinear = (part: string): boolean => {
      const [one = 0, four = 0] = [16_384, 65_536].map((length) => cpuMs(() => redactSecrets(made(part, length))));
      return four / Math.max(0.5, one) < 9;
    };
    for (const part of goingOn.map((more) => beginning + more)) {
      // A busy machine can spoil one measurement of a few milliseconds, but not ten of them.
      expect([part, Array.from({ length: 10 }).some(() => looksLinear(part))]).toEqual([part, true]);
    }
  });
});

describe('a repeated text', () => {
  const { floor, random } = Math;
  const pieces = [
    'curl',
    ' ',
    '/usr/bin/',
    'password=hunter22',
    '\u0000',
    '\ud800',
    '<NA>',
    'x'.repeat(60),
    'é',
    '"',
    'AKIAABCDEFGHIJKLMNOP',
  ];
  const some = (): string => Array.from({ length: floor(random() * 5) }, () => pieces[floor(random() * pieces.length)]).join('');

  test('is the same as the first time, with any limit, even with thousands in between', () => {
    const given = Array.from({ length: 400 }, () => [some(), [16, 64, 1_024][floor(random() * 3)]] as const);
    const read = (): readonly unknown[] => given.map(([text, atMost]) => sensorText(text, atMost));
    const first = read();
    expect(read()).toEqual(first);
    for (let count = 0; count < 5_000; count += 1) sensorText(`pod-${count}`);
    expect(read()).toEqual(first);
    expect(first.join()).not.toContain('hunter22');
  });

  test('is read only up to the limit', () => {
    const text = 'a name of 24 characters.';
    expect(sensorText(text, 64)).toBe(text);
    expect(sensorText(text, 6)).toBe('a name [cut, 24 characters]');
    expect(sensorText(text, 64)).toBe(text);
  });
});

describe('all texts of one alert', () => {
  const falco = (fields: Record<string, unknown>) =>
    parseAlerts(
      Buffer.from(
        JSON.stringify({
          rule: 'Drop and execute new binary in container',
          priority: 'Critical',
          time: '2026-06-01T10:00:00Z',
          output: 'x',
          hostname: 'node-7',
          output_fields: fields,
        }),
      ),
      { cluster: 'lab' },
    );
  const alertOf = (parsed: ReturnType<typeof falco>) => {
    const [item] = parsed.ok ? parsed.items : [];
    if (item?.kind !== 'alert') throw new Error('no alert');
    return item.alert;
  };

  test('have a budget, and filling it hides no pod, image or process', () => {
    const long = `${'password=hunter2 '.repeat(10_000)}`;
    const {
      pod,
      container,
      process: ran,
    } = alertOf(
      falco({
        'proc.cmdline': long,
        'proc.exepath': long,
        'user.name': long,
        'fd.name': `/${long}`,
        'k8s.ns.name': 'shop',
        'k8s.pod.name': 'cart-1',
        'container.id': '3ad7b26ded6d',
        'container.image.repository': 'registry.example.org/shop/cart',
        'proc.name': 'dropped',
      }),
    );
    expect(pod).toMatchObject({ namespace: 'shop', name: 'cart-1' });
    expect(container).toMatchObject({ id: '3ad7b26ded6d', image: 'registry.example.org/shop/cart' });
    expect(ran).toMatchObject({ name: 'dropped', commandLine: expect.stringMatching(/\[cut, \d+ characters\]$/) });
    expect(JSON.stringify(ran)).not.toContain('hunter2');
  });

  test('are read up to the budget, and then only to the length of a name', () => {
    const long = 'word '.repeat(4_000);
    const read = (): number => sensorText(long, 4_096)?.length ?? 0;
    const lengths = withTextBudget(() => Array.from({ length: 40 }, read));
    expect(lengths[0]).toBeGreaterThan(4_000);
    expect(lengths.at(-1)).toBeLessThan(300);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(32_768 + 40 * 300);
    // The next alert has its own budget, and so has anything that is not an alert.
    expect(read()).toBe(lengths[0]);
    expect(withTextBudget(read)).toBe(lengths[0]);
  });

  test('lose their last word when cut, because half a secret matches no pattern', () => {
    const text = `${'a '.repeat(2_175)}${'x'.repeat(600)}`;
    expect(sensorText(text, 1_024)).not.toContain('x');
    expect(sensorText('y'.repeat(1_000_000), 1_024)).toBe(`${'y'.repeat(1_024)} [cut, 1000000 characters]`);
  });
});
