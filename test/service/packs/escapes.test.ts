import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer, type Server } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describePack } from '../../../service/packs/describe.ts';
import { DescribingAhead } from '../../../service/packs/describe-ahead.ts';
import { hostOf, looked, looking, packWith } from './parts/looking.ts';

/** Has it listen, and returns its port. */
async function portOf(listener: Server): Promise<number> {
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as AddressInfo).port;
}

const folder = mkdtempSync(join(tmpdir(), 'firebreak-escapes-'));
let reached = 0;
let server: Server;
let port: number;
beforeAll(async () => {
  server = createSocketServer((socket) => {
    reached += 1;
    socket.on('error', () => undefined).end();
  });
  port = await portOf(server);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What each attempt needs of Node, and what it does; each is tried in the real process of a pack's actions. */
const attempts: readonly (readonly [what: string, body: string])[] = [
  ['signals its parent', 'process.kill(process.ppid, "SIGUSR1")'],
  ['signals its parent another way', 'process._kill(process.ppid, 10)'],
  ['starts its parent’s inspector', 'process._debugProcess(process.ppid)'],
  ['gets a module of Node', 'process.getBuiltinModule("fs")'],
  ['gets Node’s inner modules', 'process.binding("spawn_sync")'],
  ['gets linked modules', 'process._linkedBinding("fs")'],
  ['loads a library', 'process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6")'],
  ['becomes another program', 'process.execve("/usr/bin/id", ["id"], {})'],
  ['becomes another user', 'process.setuid(65534)'],
  ['changes its folder', 'process.chdir("/")'],
  ['reads a file of variables', 'process.loadEnvFile("/etc/environment")'],
  ['writes a report', 'process.report.writeReport()'],
  ['reads a report', 'process.report.getReport()'],
  ['has a channel to its parent', 'process.send({ cmd: "NODE_HANDLE", type: "none" })'],
  ['makes code from text', 'new (async () => {}).constructor("return 1")'],
  ['makes code from text another way', '(() => {}).constructor("return process")()'],
  ['opens an inspector', '(await import("node:inspector")).open(0)'],
  ['starts a thread', 'new (await import("node:worker_threads")).Worker("1", { eval: true })'],
  ['starts a program', '(await import("node:child_process")).execSync("id")'],
  ['reads a file', '(await import("node:fs")).readFileSync("/etc/hostname")'],
  ['reads its parent’s environment', '(await import("fs")).readFileSync("/proc/" + process.ppid + "/environ")'],
  ['opens a database', `new (await import("node:sqlite")).DatabaseSync("${folder}/x.db").exec("create table a (b)")`],
  ['sets flags of the engine', '(await import("node:v8")).setFlagsFromString("--allow-natives-syntax")'],
  ['runs a context', '(await import("node:vm")).runInThisContext("1")'],
  ['has modules loaded by its own rules', '(await import("node:module")).register("data:text/javascript,")'],
  ['gets a way to load modules', '(await import("node:module")).createRequire("/")("fs")'],
  ['uses WASI', 'new (await import("node:wasi")).WASI({ version: "preview1", preopens: { "/": "/" } })'],
  ['lowers the priority of its parent', '(await import("node:os")).setPriority(process.ppid, 19)'],
  ['loads code from its address', 'await import("data:text/javascript,import \\"node:fs\\"")'],
  ['loads Firebreak’s own code', `await import("${new URL('../../../service/packs/pack-files.ts', import.meta.url).href}")`],
  ['loads a package', `await import("${import.meta.resolve('axios')}")`],
  ['loads a file outside of the pack', 'await import("../../../etc/hostname")'],
];

describe('an action of a pack', () => {
  test('gets at none of this, and the process that started it goes on as before', async () => {
    const body = `
      const tried = {};
      const attempt = async (what, act) => {
        try { await act(); tried[what] = 'done'; } catch (error) { tried[what] = 'refused'; }
      };
      ${attempts.map(([what, act]) => `await attempt(${JSON.stringify(what)}, async () => { ${act}; });`).join('\n')}
      return { seen: JSON.stringify(tried) };`;
    const before = getPriority(process.pid);
    const end = await looking(body);
    expect(end).toMatchObject({ end: 'value' });
    const { seen } = (end as { readonly value: { readonly seen: string } }).value;
    expect(JSON.parse(seen)).toEqual(Object.fromEntries(attempts.map(([what]) => [what, 'refused'])));
    expect(getPriority(process.pid)).toBe(before);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('connects to nothing, by no class that it can reach', async () => {
    const ways = [
      `await fetch('http://127.0.0.1:${port}/')`,
      `new WebSocket('ws://127.0.0.1:${port}/')`,
      `(await import('node:net')).connect(${port})`,
      `(await import('node:http')).get('http://127.0.0.1:${port}/')`,
      `(await import('node:dgram')).createSocket('udp4').send('x', ${port})`,
      `(await import('node:dns')).promises.lookup('localhost')`,
      `new process.stdin.constructor().connect(${port}, '127.0.0.1')`,
      `new process.stdout.constructor().connect('${folder}/socket')`,
      `delete process.stdin.constructor.prototype.connect; new process.stdin.constructor().connect(${port})`,
    ];
    const body = `
      const tried = [];
      for (const way of [${ways.map((way) => `async () => { ${way}; }`).join(', ')}])
        try { await way(); tried.push('done'); } catch { tried.push('refused'); }
      return { seen: JSON.stringify(tried) };`;
    expect(await looking(body)).toMatchObject({ value: { seen: JSON.stringify(ways.map(() => 'refused')) } });
    expect(reached).toBe(0);
  });

  test('sends requests only to the servers that it declares, and its own headers do not redirect them', async () => {
    const hosts: (string | undefined)[] = [];
    const service = createServer(({ headers }, response) => {
      hosts.push(headers.host);
      response.setHeader('content-type', 'application/json').end('{"it":"is"}');
    });
    const at = `http://127.0.0.1:${await portOf(service)}`;
    const declared = "settings: ['endpoint'], egress: ['settings.endpoint', 'api.example.com'],";
    const body = (url: string) =>
      `const { status, body } = await http({ method: 'GET', url: ${url}, headers: { Host: 'other.example' } }); return { seen: status + JSON.stringify(body) };`;
    const settings = { endpoint: at };
    try {
      expect(await looked(hostOf(body("settings.endpoint + '/x'"), { settings }, declared))).toEqual({
        end: 'value',
        value: { seen: '200{"it":"is"}' },
      });
      expect(hosts).toEqual([new URL(at).host]);
      for (const url of [
        `http://127.0.0.1:${port}/`,
        'http://api.example.com/',
        'https://api.example.com:8443/',
        'https://api.example.com@evil.example/',
        `${at}@evil.example/`,
        'file:///etc/hostname',
        'https://kubernetes.default.svc/api/v1/secrets',
      ])
        expect(await looked(hostOf(body(`'${url}'`), { settings }, declared))).toEqual({
          end: 'refused',
          reason: expect.stringContaining('does not declare this server in egress'),
        });
      expect(reached).toBe(0);
    } finally {
      service.close();
    }
  });

  test.each([
    ['nothing', 'null'],
    ['a number', '7'],
    ['no JSON', '{'],
    ['a handle', '{"cmd":"NODE_HANDLE","type":"none"}'],
    ['an end of another shape', '{"kind":"end","id":1,"end":{"end":"done"}}'],
    ['an end without a reason', '{"kind":"end","id":1,"end":{"end":"failed"}}'],
    ['a prototype', '{"kind":"end","id":1,"end":{"end":"value"},"__proto__":{"x":1}}'],
    ['a request of another kind', '{"kind":"request","id":1,"request":1,"asked":{"method":"TRACE","url":"http://x"}}'],
  ])('that writes %s to its pool is ended, and its pool is not', async (_, line) => {
    const said: string[] = [];
    const host = hostOf(
      `process.stdout.write(${JSON.stringify(`${line}\n`)}); await new Promise(() => setInterval(() => {}, 1000));`,
      {
        log: (text) => said.push(text),
      },
    );
    expect(await looked(host)).toEqual({ end: 'failed', reason: 'the process of the pack’s actions has exited' });
    expect(said).toContain('the process of the pack’s actions wrote what is no message: it was ended');
  });

  test.each([
    [
      'an endless line',
      "for (const part = 'x'.repeat(1_048_576); ; ) if (!process.stdout.write(part)) await new Promise((go) => process.stdout.once('drain', go));",
      /a line that is too long/,
    ],
    [
      'lines without an end',
      "for (;;) { for (let n = 0; n < 1000; n++) log('x'); await new Promise((go) => setTimeout(go, 1)); }",
      /wrote too much/,
    ],
  ])('that writes %s is ended before it fills its pool’s memory', async (_, body, words) => {
    const said: string[] = [];
    const before = process.memoryUsage().rss;
    expect(await looked(hostOf(body, { log: (text) => said.push(text) }))).toMatchObject({ end: 'failed' });
    expect(said).toContainEqual(expect.stringMatching(words));
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 1_048_576);
  });

  test('that fills memory beside its objects is ended, and its pool is not', async () => {
    const said: string[] = [];
    const body = 'const all = []; for (;;) all.push(new Uint8Array(8_000_000).fill(1));';
    expect(await looked(hostOf(body, { log: (text) => said.push(text) }))).toMatchObject({ end: 'failed' });
    expect(said).toContain('the process of the pack’s actions took more than 448 MB of memory: it was ended');
  });

  test('that returns values nested without an end fails alone', async () => {
    const nested = "let deep = '1'; deep = '['.repeat(200_000) + deep + ']'.repeat(200_000);";
    const line = `'{"kind":"end","id":1,"end":{"end":"value","value":' + deep + '}}\\n'`;
    const end = await looked(
      hostOf(`${nested} process.stdout.write(${line}); await new Promise(() => setInterval(() => {}, 1000));`),
    );
    expect(end).toMatchObject({ end: expect.stringMatching(/^(failed|refused)$/) });
  });
});

describe('the module of a stranger’s pack, as it is described', () => {
  const stranger = (code: string) => {
    const main = packWith('').files.get('firebreak.pack.ts')?.toString('utf8') ?? '';
    return packWith('', { 'firebreak.pack.ts': `${main}\n${code}\n` });
  };
  const refused: readonly (readonly [string, string])[] = [
    ['signals its parent', 'process.kill(process.ppid, "SIGUSR1");'],
    ['reads a file', '(await import("node:fs")).readFileSync("/etc/hostname");'],
    ['opens a database', `new (await import("node:sqlite")).DatabaseSync("${folder}/y.db").exec("create table a (b)");`],
    ['connects', `await fetch("http://127.0.0.1:${1}/");`],
    ['connects by its output', `new process.stdin.constructor().connect(1, "127.0.0.1");`],
    ['gets a module of Node', 'global["process"].getBuiltinModule("child_process").execSync("id");'],
  ];

  test.each(refused)('that %s is refused', (_, code) => {
    expect(() => describePack(stranger(code))).toThrow(/restricted|not a (function|constructor)|is not defined|permissions/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused likewise by the process that was started in advance', async () => {
    const ahead = new DescribingAhead();
    try {
      for (const [, code] of refused) await expect(ahead.describe(stranger(code))).rejects.toThrow('the pack does not run');
    } finally {
      ahead.close();
    }
  });
});
