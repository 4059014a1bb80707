import { expect, test } from '@jest/globals';
import { fixture, itemsOf } from './read.ts';

test.each([
  ['falco', 'falco/rw-host-process.json', ['time'], '`time`'],
  ['falcosidekick', 'falcosidekick/rw-test-rule.json', ['time'], '`time`'],
  ['kubearmor', 'kubearmor/rw-agent-stdout-camelcase.json', ['timestamp', 'updatedTime'], '`UpdatedTime`'],
  ['tracee', 'tracee/rw-legacy-signature-metadata-v0.12-0.2x.json', ['timestamp'], '`timestamp`'],
  ['tracee', 'tracee/rw-v1beta1-detection-k8s.json', ['timestamp'], '`timestamp`'],
  ['tracee', 'tracee/rw-rules-finding-v0.7.json', ['Context.timestamp'], '`timestamp`'],
  ['tetragon', 'tetragon/rw-process-lsm.json', ['time', 'process_lsm.process.start_time'], '`time`'],
  ['inspektor-gadget', 'inspektor-gadget/rw-legacy-trace-exec.json', ['timestamp'], '`timestamp`'],
  ['kubescape', 'kubescape/rw-http-rule.json', ['spec.alerts.0.timestamp'], '`timestamp`'],
])('an event clearly from %s (%s) that lacks only its time is rejected for that reason', (_sensor, file, paths, field) => {
  const event = JSON.parse(fixture(file));
  for (const path of paths) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    delete keys.reduce((part, key) => part[key], event)[last];
  }
  expect(itemsOf(event)).toMatchObject([{ kind: 'rejected', reason: expect.stringContaining(field) }]);
});
