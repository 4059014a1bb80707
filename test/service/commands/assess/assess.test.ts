import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { PodDecision } from '../../../../core/assessment/tally.ts';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { firebreakHere } from '../../../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'assess-'));

interface Event {
  readonly at: number;
  readonly rule: string;
  readonly priority: string;
  readonly pod: string;
  readonly program: string;
  readonly digest?: string;
}

const began = Date.parse('2026-11-27T10:00:00Z');

function falco({ at, rule, priority, pod, program, digest }: Event): string {
  const time = new Date(began + at * 1_000).toISOString();
  const output = `${time.slice(11, 19)}.000000000: ${priority} ${rule} (command=${program} -x parent=bash k8s_ns=shop k8s_pod_name=${pod} container_image_repository=registry.example/web)`;
  return JSON.stringify({
    ...{ rule, priority, time, output, source: 'syscall', hostname: 'node-1' },
    output_fields: {
      ...{ 'k8s.ns.name': 'shop', 'k8s.pod.name': pod, 'proc.name': program, 'proc.cmdline': `${program} -x` },
      'container.image.repository': 'registry.example/web',
      ...(digest !== undefined && { 'container.image.digest': digest }),
    },
  });
}

const dropped = { rule: 'Drop and execute new binary in container', priority: 'Critical' };
const web = 'web-7c9f9f7ff7-bbbbb';
const intrusion = [
  { at: 0, rule: 'Terminal shell in container', priority: 'Notice', pod: web, program: 'bash' },
  { at: 10, rule: 'Read sensitive file untrusted', priority: 'Warning', pod: web, program: 'cat' },
  { at: 20, ...dropped, pod: web, program: 'xmrig' },
];

function written(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

async function decisions(args: readonly string[]): Promise<readonly PodDecision[]> {
  const { stdout, status } = await firebreakHere(['assess', ...args, '--json'], { folder });
  expect(status).toBe(0);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PodDecision);
}

const what = (all: readonly PodDecision[]) => all.map(({ at, pod, response }) => `${at.slice(11, 19)} ${pod} ${response}`);

describe('firebreak assess', () => {
  it('prints a line for each decision, with exactly the fields of its schema', async () => {
    const file = written('plain.ndjson', intrusion.map(falco).join('\n'));
    const all = await decisions([file]);
    const schema = JSON.parse(readFileSync(join(projectRoot(), 'docs/spec/assess-line.schema.json'), 'utf8')) as {
      readonly required: readonly string[];
    };
    for (const one of all) expect(Object.keys(one).toSorted()).toEqual([...schema.required].toSorted());
    expect(new Set(all.map(({ profile }) => profile)).size).toBe(3);
    expect(what(all.filter(({ profile }) => profile === 'balanced'))).toEqual([
      `10:00:00 ${web} file`,
      `10:00:10 ${web} contain`,
    ]);
  });

  it('decides the same about gzip, about Falco’s text, about a list, and about alerts out of order', async () => {
    const lines = intrusion.map(falco);
    const texts = lines.map((line) => (JSON.parse(line) as { readonly output: string }).output);
    const files = [
      written('some.gz', gzipSync(lines.join('\n'))),
      written('list.json', `[${lines.join(',\n')}]`),
      written('mixed.ndjson', lines.toReversed().join('\n')),
      written('falco.log', texts.join('\n')),
    ];
    for (const file of files) {
      const all = await decisions([file, '--profile', 'balanced']);
      expect(what(all)).toEqual([`10:00:00 ${web} file`, `10:00:10 ${web} contain`]);
      expect(all.at(-1)?.rule).toBe('Read sensitive file untrusted');
    }
  });

  it('counts and names broken lines, and reads the others', async () => {
    const [first = '', ...rest] = intrusion.map(falco);
    const file = written('broken.ndjson', [first, '{"rule": "cut o', 'not json at all', '{"some":"thing"}', ...rest].join('\n'));
    const { stdout, stderr, status } = await firebreakHere(['assess', file, '--json', '--profile', 'balanced'], { folder });
    expect(status).toBe(0);
    expect(stdout.split('\n').filter((line) => line.includes('"contain"'))).toHaveLength(1);
    expect(stderr).toContain('line 2: not read');
    expect(stderr).toContain('line 4: not read');
    expect(stderr).toContain('3 lines were not read');
  });

  it('asks first about a pod into which the API server’s audit log says a person went', async () => {
    const person = intrusion.filter(({ rule }) => !rule.startsWith('Read'));
    const exec = {
      ...{
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level: 'Metadata',
        stage: 'ResponseComplete',
        auditID: 'a1',
        verb: 'create',
      },
      ...{ requestURI: `/api/v1/namespaces/shop/pods/${web}/exec?command=bash`, user: { username: 'ada@example.com' } },
      objectRef: { resource: 'pods', namespace: 'shop', name: web, apiVersion: 'v1', subresource: 'exec' },
      requestReceivedTimestamp: new Date(began - 1_000).toISOString(),
      stageTimestamp: new Date(began - 1_000).toISOString(),
    };
    const falcoFile = written('person.ndjson', person.map(falco).join('\n'));
    const auditFile = written('audit.log', JSON.stringify(exec));
    const responses = async (files: readonly string[]) =>
      (await decisions([...files, '--profile', 'balanced'])).filter(({ pod, rule }) => pod === web && rule === dropped.rule);
    expect(await responses([falcoFile])).toMatchObject([{ response: 'contain' }]);
    expect(await responses([falcoFile, auditFile])).toMatchObject([{ response: 'ask', pages: true }]);
  });

  it('learns what is normal, and judges by it', async () => {
    const usual = written('usual.ndjson', falco({ at: 0, ...dropped, pod: web, program: 'curl' }));
    const learned = join(folder, 'normal.json');
    expect(what(await decisions([usual, '--profile', 'balanced', '--learn', learned]))).toEqual([`10:00:00 ${web} contain`]);
    expect(what(await decisions([usual, '--profile', 'balanced', '--baseline', learned]))).toEqual([`10:00:00 ${web} file`]);
    const { status, stderr } = await firebreakHere(['assess', usual, '--baseline', usual], { folder });
    expect(status).not.toBe(0);
    expect(stderr).toContain('is not a baseline');
  });

  it('writes a page that escapes what attackers wrote, and needs nothing else', async () => {
    const bad = '<script>alert(1)</script>';
    const file = written('bad.ndjson', falco({ at: 0, rule: bad, priority: 'Critical', pod: web, program: bad }));
    const page = join(folder, 'page.html');
    await firebreakHere(['assess', file, '--html', page], { folder });
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('&lt;script&gt;');
    expect(html).not.toContain('<script');
    expect(html).not.toMatch(/\b(?:src|href)=/);
    expect(html).toContain('<svg');
  });

  it('proposes what the configuration accepts, and a suppression where the image is known', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const quiet = { rule: 'Contact K8S API Server From Container', priority: 'Notice', program: 'java' };
    const file = written('noise.ndjson', [0, 1, 2].map((at) => falco({ at, ...quiet, pod: web, digest })).join('\n'));
    const { stdout } = await firebreakHere(['assess', file], { folder });
    expect(stdout).toContain(
      `firebreak suppress add --rule "Contact K8S API Server From Container" --workload "shop/Deployment/web" --digest ${digest} --up-to low`,
    );
    const yaml = /firebreak\.yaml\n((?: {6}.*\n)+)/.exec(stdout)?.[1]?.replaceAll(/^ {6}/gm, '') ?? '';
    expect(yaml).toContain('severities');
    const config = written('firebreak.yaml', `cluster: { name: test }\n${yaml}`);
    const checked = await firebreakHere(['config', 'check', '--config', config], { folder });
    expect(`${checked.stdout}${checked.stderr}`).not.toContain('sensors');
  });
});
