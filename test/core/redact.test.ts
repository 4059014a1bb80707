import { describe, expect, test } from '@jest/globals';
import { redactSecrets } from '../../core/redact.ts';
import { cpuMsSince } from '../cpu-time.ts';

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
  ])('%s stays as it is', (text) => expect(redactSecrets(text)).toBe(text));

  test('says what it took and leaves the rest', () => {
    expect(redactSecrets('mysql -u root -phunter2 db')).toBe('mysql -u root -p[redacted:password] db');
  });

  test('changes nothing the second time', () => {
    const once = redactSecrets('PGPASSWORD=x psql postgres://u:p@h --password y Authorization: Bearer z1');
    expect(redactSecrets(once)).toBe(once);
  });

  test('stays quick on texts that are made to be slow', () => {
    for (const part of [
      'a',
      '-',
      'a-',
      'eyJa',
      'a.',
      'password=',
      '"',
      'mysql -p ',
      'bearer ',
      'a://',
      '-u a:',
      '\\"',
      '-----BEGIN PRIVATE KEY',
    ]) {
      const started = process.cpuUsage();
      redactSecrets(part.repeat(16_384 / part.length));
      expect(cpuMsSince(started)).toBeLessThan(1_000);
    }
  });
});
