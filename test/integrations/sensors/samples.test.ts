import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { itemsOf, withoutRaw } from './read.ts';

/** A folder of payloads as agents send them, with a folder per sensor, which we may not keep here. */
const folder = process.env.FIREBREAK_ALERT_SAMPLES;
const whenThere = folder !== undefined && existsSync(folder) ? describe : describe.skip;

/** Rejected for the only thing that it lacks: its time was never set. */
const withoutTime = 'falcosidekick/rw-webhook-empty-priority.json';

/** What a person reads in them: one line per item. */
const read: Readonly<Record<string, readonly object[]>> = {
  'k8s-audit/event-create-nodes.json': [{ kind: 'ignored', sensor: 'kubernetes-audit' }],
  'k8s-audit/eventlist-audit-deletecollection-official-raw-hollow.json': [
    {
      alert: {
        rule: 'Objects deleted in bulk',
        severity: 'medium',
        time: '2026-06-02T11:16:29.161836Z',
        process: { user: 'system:admin' },
      },
    },
  ],
  'k8s-audit/eventlist-audit-deletecollection-official-teardown-hollow.json': [{ kind: 'ignored' }],
  'k8s-audit/eventlist-audit-deletecollection-proxy-raw-listbody.json': [{ alert: { rule: 'Objects deleted in bulk' } }],
  'k8s-audit/eventlist-audit-deletecollection-proxy-teardown-deleteoptions.json': [{ kind: 'ignored' }],
  'k8s-audit/eventlist-deployment-scale-subresource.json': [{ kind: 'ignored' }],
  'ocsf/2001-falco.json': [
    {
      alert: {
        rule: 'Linux Kernel Module Injection Detected',
        severity: 'medium',
        time: '2023-01-03T15:11:39.558Z',
        node: 'host0.local',
      },
    },
  ],
  'ocsf/2001-offense.json': [{ alert: { severity: 'high', time: '2023-04-24T14:44:23.218Z', tags: ['QRadar SIEM'] } }],
  'ocsf/2001-security-hub.json': [{ kind: 'ignored', reason: 'an update of a known finding' }],
  'ocsf/2004-detection-finding.json': [
    {
      alert: {
        rule: 'Login Failures',
        severity: 'unknown',
        time: '2024-08-13T15:58:20.000Z',
        observables: [{ type: 'ip', value: '10.0.0.1' }],
      },
    },
  ],
  'ocsf/2004-prowler.json': [{ alert: { severity: 'info', time: '2024-10-04T13:49:02Z' } }],
  'ocsf/2004-sechub-guardduty.json': [
    { alert: { severity: 'low', time: '2023-09-19T11:05:22.487-04:00', observables: [{ type: 'ip', value: '52.94.133.131' }] } },
  ],
  'ocsf/6003-ocsf-eks.json': [
    {
      alert: {
        rule: 'API create nodes',
        severity: 'info',
        time: '2021-09-07T20:37:30.642854Z',
        node: 'ip-192-001-02-03.ec2.internal',
      },
    },
  ],
  'ocsf/array-malware-infection-detected-sample.json': ['1.183.190.110', '59.11.81.231', '190.109.227.80', '38.7.186.198'].map(
    (ip) => ({
      alert: { rule: `Infection found on ${ip}`, severity: 'info' },
    }),
  ),
  'falcosidekick/ocsf-falco-raw.json': [
    { alert: { sensor: 'falco', rule: 'Linux Kernel Module Injection Detected', severity: 'medium' } },
  ],
  [withoutTime]: [{ kind: 'rejected', reason: expect.stringContaining('`time`') }],
  'tetragon/process-exec-nc.json': [
    {
      alert: {
        rule: 'process_exec',
        node: 'minikube',
        time: '2022-02-01T18:01:56.411Z',
        pod: { namespace: 'tenant-jobs', name: 'elasticsearch-56f8fc6988-65smb' },
        container: {
          id: 'e6af4dff4ea3b8d50313c59fbaa442e377da35671e79f43b8dc53c5efcc9b659',
          digest: 'sha256:ff3aa5862fd17f8695984609743f4523188984adbcd25cf5ac4224b71084558c',
        },
        process: { commandLine: '/usr/bin/nc raiz3gjkgtfhkkc.not-reverse-shell.com 443', parent: 'sh', pid: 38314 },
        observables: [
          { type: 'path', value: '/usr/bin/nc' },
          { type: 'domain', value: 'raiz3gjkgtfhkkc.not-reverse-shell.com' },
        ],
      },
    },
  ],
  'tetragon/process-exec-ssh-nopod.json': [
    { alert: { container: { id: '80976c957594cea6d9f58d12' }, process: { exe: '/usr/bin/ssh', parent: 'scp' } } },
  ],
  'tetragon/process-exec-netserver.json': [
    { alert: { time: '2022-10-18T03:16:18.273546829Z', container: { name: 'spaceship' } } },
  ],
  'tetragon/process-kprobe-x64-sys-write-vi.json': [
    {
      alert: { rule: 'process_kprobe:__x64_sys_write', pod: { name: 'elasticsearch-56f8fc6988-sh8rm' }, process: { name: 'vi' } },
    },
  ],
};

whenThere('payloads of FIREBREAK_ALERT_SAMPLES', () => {
  const at = folder ?? '';
  const files =
    folder === undefined ? [] : readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));

  test.each(Object.entries(read))('%s yields what a person reads in it', (file, expected) => {
    expect(itemsOf(readFileSync(join(at, file), 'utf8')).map(withoutRaw)).toMatchObject(expected);
  });

  test.each(files.filter((file) => file !== withoutTime).map((file) => [file]))(
    '%s is understood, without empty or unknown values',
    (file) => {
      for (const item of itemsOf(readFileSync(join(at, file), 'utf8')).map(withoutRaw)) {
        expect(item).not.toMatchObject({ kind: 'rejected' });
        expect(JSON.stringify(item)).not.toMatch(/":(?:null|""|"<NA>"|\{\})/);
      }
    },
  );
});
