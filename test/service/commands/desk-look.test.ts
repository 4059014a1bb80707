/** The command line at a desk: a real desk, a real identity provider, and a command line with neither a configuration nor a key. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { type CommandRun, commandFile, firebreakHere } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { approveDevice } from '../../fakes/oidc/device.ts';
import { type ConsoleDesk, incidentRecords, startConsoleDesk } from '../desk/console/console-desk.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-desk-look-'));
let desk: ConsoleDesk;
beforeAll(async () => {
  // Each command finds a token that is about to expire, and renews it.
  desk = await startConsoleDesk({ idTokenSeconds: 20 });
  for (const namespace of ['shop', 'bank']) await desk.append(incidentRecords(namespace));
  for (const name of ['ana', 'shop', 'viewer']) expect(await login(name)).toMatchObject({ status: 0 });
  await eventually('both incidents are listed', async () => (await rowsOf('viewer')).length === 2);
});
afterAll(async () => {
  await desk.stop();
  rmSync(folder, { recursive: true, force: true });
});

const homeOf = (name: string): string => join(folder, name);
const aloneEnv = (name: string) => {
  // From this process only PATH and what Node has compiled already.
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;
  return { XDG_CONFIG_HOME: homeOf(name), HOME: homeOf(name), PATH, NODE_COMPILE_CACHE };
};

/** As a separate process, because somebody signs in while it waits. */
async function login(name: string, subject = `sub-${name}`, more: readonly string[] = []): Promise<CommandRun> {
  mkdirSync(homeOf(name), { recursive: true });
  let approving: Promise<void> = Promise.resolve();
  const { code, stdout, stderr } = await runCommand({
    command: process.execPath,
    args: [commandFile(), 'login', '--desk', `${desk.url}/console/incidents`, ...more],
    cwd: folder,
    env: aloneEnv(name),
    onStderrLine: (line) => {
      const [, link] = /^ {2}or open (\S+) and compare/.exec(line) ?? [];
      if (link !== undefined) approving = approveDevice(desk.provider, link, subject);
    },
  });
  await approving;
  return { status: code, stdout, stderr };
}

function look(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandRun> {
  return firebreakHere([...args, '--desk', desk.url], { folder, env: { ...aloneEnv(name), ...env } });
}

function storedBy(name: string) {
  const signIns = join(homeOf(name), 'firebreak', 'sign-ins');
  const [file = ''] = readdirSync(signIns).filter((one) => one.endsWith('.json'));
  return { signIns, file: join(signIns, file), text: readFileSync(join(signIns, file), 'utf8') };
}

const rows = z.array(z.object({ incident: z.string(), open: z.boolean(), severity: z.string(), rules: z.array(z.string()) }));

async function rowsOf(name: string, more: readonly string[] = []) {
  const { stdout, stderr } = await look(name, ['incidents', 'list', '--json', ...more]);
  if (stdout === '') throw new Error(stderr);
  return rows.parse(JSON.parse(stdout));
}

describe('the sign-in', () => {
  test('says who signed in, and keeps the token readable by its owner only and out of the output', async () => {
    const { stdout, stderr } = await login('again', 'sub-ana');
    expect(stdout).toContain(`Signed in at ${desk.url} as Ana (approver).`);
    expect(stderr).toContain(`sign in at ${desk.provider.issuer}`);
    const { signIns, file, text } = storedBy('again');
    const { idToken, refreshToken } = z.object({ idToken: z.string(), refreshToken: z.string() }).parse(JSON.parse(text));
    for (const secret of [idToken, refreshToken]) expect(stdout + stderr).not.toContain(secret);
    expect([statSync(file).mode & 0o777, statSync(signIns).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test('of somebody without a role is not stored', async () => {
    const { status, stderr } = await login('nobody');
    expect([status, stderr]).toEqual([1, expect.stringContaining('none of your groups has a role in the console')]);
    expect(existsSync(join(homeOf('nobody'), 'firebreak', 'sign-ins'))).toBe(false);
  });

  test('is renewed when it is about to expire, even by several commands at once', async () => {
    const before = storedBy('viewer').text;
    const all = await Promise.all(
      [1, 2, 3].map(() =>
        runCommand({
          command: process.execPath,
          args: [commandFile(), 'incidents', 'list', '--json', '--desk', desk.url],
          cwd: folder,
          env: aloneEnv('viewer'),
        }),
      ),
    );
    expect(all.map(({ code, stderr }) => [code, stderr])).toEqual([1, 2, 3].map(() => [0, '']));
    expect(storedBy('viewer').text).not.toBe(before);
    const locks = readdirSync(storedBy('viewer').signIns).filter((one) => one.endsWith('.lock'));
    expect(locks.map((one) => statSync(join(storedBy('viewer').signIns, one)).size)).toEqual([0]);
  });

  test('says what to do once it has expired and cannot be renewed', async () => {
    await login('ended', 'sub-viewer');
    const { file, text } = storedBy('ended');
    const { refreshToken: _, ...rest } = JSON.parse(text);
    writeFileSync(file, JSON.stringify({ ...rest, expiresAt: Date.now() - 1 }));
    const { status, stderr } = await look('ended', ['incidents', 'list']);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`has ended: run firebreak login --desk ${desk.url}`)]);
  });

  test('ends both locally and at the provider, where its refresh token is revoked', async () => {
    await login('leaving', 'sub-viewer');
    const { file, text } = storedBy('leaving');
    const out = await look('leaving', ['logout', '--json']);
    expect(JSON.parse(out.stdout)).toEqual({ desk: desk.url, signedOut: true, revoked: true });
    expect(existsSync(file)).toBe(false);
    expect((await look('leaving', ['incidents', 'list'])).stderr).toContain('nobody has signed in at');
    expect((await look('leaving', ['logout'])).stdout).toContain('Nobody is signed in');
    // Somebody has made a copy before.
    writeFileSync(file, text);
    expect((await look('leaving', ['incidents', 'list'])).stderr).toContain(
      'no longer renews this sign-in: it has expired or was revoked',
    );
  });
});

describe('with a desk', () => {
  test('incidents list shows the same rows as without a desk', async () => {
    expect((await rowsOf('viewer')).sort((a, b) => a.incident.localeCompare(b.incident))).toEqual(
      ['bank', 'shop'].map((namespace) => ({
        ...{ incident: `incident/c/${namespace}/Deployment/cart`, open: true, severity: 'critical', rules: ['Drop and execute'] },
      })),
    );
    const { stdout } = await look('viewer', ['incidents', 'list', '--namespace', 'shop']);
    expect(stdout).toMatch(
      /^SEVERITY +INCIDENT +CONTAINED +WAITS FOR +DEADLINE +AGE\ncritical +shop\/Deployment\/cart +yes +- +- +\d+d\n$/,
    );
  });

  test('a tenant sees only its own incidents, and not even that others exist', async () => {
    expect((await rowsOf('shop')).map(({ incident }) => incident)).toEqual(['incident/c/shop/Deployment/cart']);
    const { status, stderr } = await look('shop', ['incidents', 'show', 'bank/Deployment/cart']);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('there is no incident incident/c/bank/Deployment/cart, or you may not see it'),
    ]);
  });

  test('incidents show prints text for people, and JSON with the same names as without a desk', async () => {
    const { stdout } = await look('ana', ['incidents', 'show', 'shop/deployment/cart']);
    expect(stdout).toContain('The incident does not answer now: this is what its records say.');
    expect(stdout).toMatch(/critical {2}deployment\/shop\/cart {2}open/);
    expect(stdout).toMatch(/records +4 in the audit store, complete and signed/);
    expect(stdout).toMatch(/verified +quarantinePod +pod\/shop\/cart-1/);
    expect(stdout).toMatch(/incident\.opened +2 × Drop and execute +sensor\/falco/);
    const shown = await look('ana', ['incidents', 'show', 'incident/c/shop/Deployment/cart', '--run', 'run-1', '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      incident: { id: 'incident/c/shop/Deployment/cart', run: 'run-1' },
      open: true,
      live: false,
      reached: 'contained',
      counts: [{ rule: 'Drop and execute', pod: 'shop/cart-1', count: 2 }],
      steps: [{ action: 'quarantinePod', state: 'verified', target: 'pod/shop/cart-1' }],
      proof: { whole: true },
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  test('a misspelt name gets the right one suggested', async () => {
    const { stderr } = await look('viewer', ['incidents', 'show', 'shop/Deployment/crat']);
    expect(stderr).toMatch(/did you mean (one of )?(shop|bank)\/Deployment\/cart/);
  });

  test('incidents watch shows what happens until the incident closes', async () => {
    const [first] = incidentRecords('shop', 'watched');
    if (!first) throw new Error('there is a first record');
    await desk.append(incidentRecords('shop', 'watched'));
    await eventually('it is listed', async () => (await rowsOf('viewer')).some(({ incident }) => incident.endsWith('/watched')));
    let seen = '';
    let closed = false;
    const close = async (): Promise<void> => {
      closed = true;
      const body = { text: 'closed by people', verdict: 'benign', reached: 'contained' };
      await desk.append([{ ...first, number: 5, kind: 'incident.closed', actor: 'engine', body }]);
    };
    let closing = Promise.resolve();
    const { code, stdout } = await runCommand({
      command: process.execPath,
      args: [
        '--import',
        `data:text/javascript,${encodeURIComponent(echo)}`,
        commandFile(),
        'incidents',
        'watch',
        'shop/Deployment/watched',
        '--json',
        '--desk',
        desk.url,
      ],
      cwd: folder,
      env: aloneEnv('ana'),
      onStderrLine: (line) => {
        seen += line;
        if (!closed && seen.includes('step.checked')) closing = close();
      },
    });
    await closing;
    const kinds = stdout
      .trim()
      .split('\n')
      .map((line) => z.object({ kind: z.string() }).parse(JSON.parse(line)).kind);
    expect([code, kinds]).toEqual([
      0,
      ['incident.opened', 'playbook.started', 'step.applied', 'step.checked', 'incident.closed'],
    ]);
  });

  test('playbooks prints the same as without a desk', async () => {
    for (const args of [
      ['playbooks', 'list'],
      ['playbooks', 'show', 'firebreak/contain-dropped-binary'],
    ]) {
      const here = await firebreakHere(args, { folder });
      expect(here.status).toBe(0);
      expect(await look('viewer', args)).toEqual(here);
      const json = await firebreakHere([...args, '--json'], { folder });
      expect(JSON.parse((await look('viewer', [...args, '--json'])).stdout)).toEqual(JSON.parse(json.stdout));
    }
  });

  test('get shows open incidents, and what is held', async () => {
    const { stdout } = await look('shop', ['get', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      containments: expect.arrayContaining([expect.objectContaining({ namespace: 'shop' })]),
    });
    expect(stdout).not.toContain('bank');
  });

  test('get of one pod shows its open incidents, and nothing about other pods', async () => {
    const { stdout } = await look('viewer', ['get', 'shop/cart-1']);
    expect(stdout).toMatch(/deployment\/shop\/cart +open +critical +contained/);
    expect(stdout).toContain('deployment/shop/cart does not answer now');
    expect(stdout).not.toContain('bank');
    const incidents = async (...args: readonly string[]) =>
      JSON.parse((await look('viewer', ['get', ...args, '--json'])).stdout).incidents.map(
        ({ id }: { readonly id: string }) => id,
      );
    expect((await incidents('cart-1')).sort()).toEqual(['incident/c/bank/Deployment/cart', 'incident/c/shop/Deployment/cart']);
    expect(await incidents('cart-1', '--namespace', 'bank')).toEqual(['incident/c/bank/Deployment/cart']);
    expect((await look('viewer', ['get', 'art-1'])).stdout).toBe('No open incident that you may see names art-1.\n');
  });

  test('restraints and suppressions are not reported as none while the cell does not report them', async () => {
    for (const noun of ['restraints', 'suppress']) {
      const { status, stderr } = await look('viewer', [noun, 'list']);
      expect([status, stderr]).toEqual([1, expect.stringContaining('the cell cannot report what is in force at the moment')]);
    }
  });
});

/** Copies its standard output to standard error, which can be read while it runs. */
const echo = `const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, ...rest) => { process.stderr.write(text); return write(text, ...rest); };`;

describe('the choice of a desk', () => {
  test('is refused by commands that a desk cannot answer, with the remedy', async () => {
    const approve = await look('ana', ['approve', 'shop/Deployment/cart']);
    expect([approve.status, approve.stderr]).toEqual([2, expect.stringContaining('firebreak approve cannot use --desk')]);
    expect(approve.stderr).toContain('Decide in Slack or in the console');
    const doctor = await look('ana', ['doctor']);
    expect([doctor.status, doctor.stderr]).toEqual([2, expect.stringContaining('Run it with --config where Firebreak runs')]);
  });

  test('can be made with FIREBREAK_DESK, and an explicit configuration takes precedence', async () => {
    const env = { ...aloneEnv('viewer'), FIREBREAK_DESK: desk.url };
    expect((await firebreakHere(['incidents', 'list', '--json'], { folder, env })).status).toBe(0);
    const typed = await firebreakHere(['incidents', 'list', '--config', 'none.yaml'], { folder, env });
    expect(typed.stderr).toContain('FB_ERR_CONFIG_INVALID');
    const both = await look('viewer', ['incidents', 'list', '--config', 'none.yaml']);
    expect([both.status, both.stderr]).toEqual([2, expect.stringContaining('cannot be combined')]);
  });

  test('is limited to this machine itself without TLS', async () => {
    const { status, stderr } = await firebreakHere(['incidents', 'list', '--desk', 'http://firebreak.example.com'], { folder });
    expect([status, stderr]).toEqual([2, expect.stringContaining('https is required, except on this machine itself')]);
  });

  test('needs no configuration, and does not even load Temporal or a database', async () => {
    const report = join(folder, 'loaded.json');
    const preload = pathToFileURL(join(import.meta.dirname, '../cli/loaded.mjs')).href;
    // The sources, because the build has its packages in separate files.
    const sources = join(projectRoot(), 'service', 'cli.ts');
    const { code } = await runCommand({
      command: process.execPath,
      args: ['--import', preload, sources, 'incidents', 'show', 'shop/Deployment/cart', '--desk', desk.url],
      cwd: folder,
      env: { ...aloneEnv('ana'), LOADED: report },
    });
    expect([code, existsSync(join(folder, 'firebreak.yaml'))]).toEqual([0, false]);
    const { packages } = z.object({ packages: z.array(z.string()) }).parse(JSON.parse(readFileSync(report, 'utf8')));
    expect(packages).toContain('zod');
    expect(packages.filter((name) => /^(@temporalio|@kubernetes|@aws-sdk|@slack)\/|^(pg|lmdb|iron-session)$/.test(name))).toEqual(
      [],
    );
  });
});

describe('a token goes to its own desk only', () => {
  test('not where a desk redirects to, and not to another desk that the file was copied for', async () => {
    const asked: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      asked.push(request.headers.authorization);
      response.writeHead(request.url?.startsWith('/elsewhere') ? 200 : 307, { location: '/elsewhere' }).end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    try {
      await login('copied', 'sub-viewer');
      const { signIns, text } = storedBy('copied');
      const file = join(signIns, `${new URL(url).host.replace(':', '_')}.json`);
      writeFileSync(file, text);
      const at = ['incidents', 'list', '--desk', url];
      const env = aloneEnv('copied');
      expect((await firebreakHere(at, { folder, env })).stderr).toContain('nobody has signed in at');
      expect(asked).toEqual([]);
      writeFileSync(file, JSON.stringify({ ...JSON.parse(text), desk: url, expiresAt: Date.now() + 600_000 }));
      expect((await firebreakHere(at, { folder, env })).stderr).toContain('is not a desk of Firebreak');
      expect(asked).toHaveLength(1);
    } finally {
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    }
  });
});

test('a certificate of a private authority is trusted only if a file names that authority', async () => {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const about = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', ...curve, ...about, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  // A front that stands before a desk, and terminates TLS.
  const front = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const { method, headers, url = '' } = request;
    fetch(`${desk.url}${url}`, { ...(method && { method }), headers: { authorization: headers.authorization ?? '' } })
      .then(async (answer) => response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text()))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const address = front.address();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  try {
    await login('behind', 'sub-viewer');
    const { signIns, text } = storedBy('behind');
    const file = join(signIns, `${new URL(url).host.replace(':', '_')}.json`);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), desk: url }));
    const ask = (env: Readonly<Record<string, string>>) =>
      runCommand({
        command: process.execPath,
        args: [commandFile(), 'incidents', 'list', '--desk', url],
        cwd: folder,
        env: { ...aloneEnv('behind'), ...env },
      });
    expect(await ask({})).toMatchObject({ code: 1, stderr: expect.stringContaining('name your own with --ca FILE') });
    expect(await ask({ FIREBREAK_DESK_CA: cert })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('shop/Deployment/cart'),
    });
    const missing = await ask({ FIREBREAK_DESK_CA: join(folder, 'none.pem') });
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the certificate authorities of --ca cannot be read'),
    });
  } finally {
    front.closeAllConnections();
    await new Promise((resolve) => front.close(resolve));
  }
});
