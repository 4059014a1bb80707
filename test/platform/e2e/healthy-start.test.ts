import { expect, test } from '@jest/globals';
import { listObjects } from '../../../integrations/kubernetes/objects.ts';
import { firebreakProcess } from '../../command-line.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster } from '../kubernetes/parts/cluster.ts';
import { until } from './parts/cluster.ts';
import { Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();

test.each([
  ['with Slack over HTTP', undefined],
  ['with Slack over Socket Mode', 'xapp-1-A0TEST-1-abcdef'],
])('a healthy start and end %s log only Firebreak’s own lines, and nothing worrying', async (_name, appToken) => {
  const namespace = await freshNamespace();
  const change = (config: Record<string, unknown>): void => {
    config.watch = { namespaces: [namespace] };
  };
  const service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, change, appToken);
  try {
    await service.start();
    await until('the service at work', 120_000, () => service.log.includes('ready: connected to Temporal'));
    await until('the control workflow', 120_000, () => service.log.includes('started the control workflow'));
    await service.end();
    const worrying = service.log
      .trimEnd()
      .split('\n')
      .filter((line) => !isOurs(line));
    expect(worrying).toEqual([]);
    // One line for each thing, and none if nothing has happened.
    expect(service.log.split('\n').filter((line) => line.includes('the intake'))).toHaveLength(1);
    expect(service.log).not.toContain('freezes, observe modes or suppressions have changed');
  } finally {
    await service.stop();
  }
});

test.each(['secrets', 'cell'])(
  'a %s that runs separately without the key of another role changes nothing, exits and says which is missing',
  async (role) => {
    const namespace = await freshNamespace();
    const service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
      config.watch = { namespaces: [namespace] };
      config.desk = { ...(config.desk as object), votePublicKeys: ['/etc/firebreak/nowhere/vote.pem.pub'] };
    });
    const { api, close } = await openCluster(kubeconfig, { watches: false });
    try {
      const args = ['run', '--role', role, '--config', service.settings.configFile];
      const { status, stderr } = await firebreakProcess(args, { folder: service.folder });
      expect(status).toBe(1);
      expect(stderr).toMatch(/FB_ERR_CONFIG_INVALID: .*the key file \S+vote\.pem\.pub cannot be read/);
      const ref = { kind: 'NetworkPolicy', group: 'networking.k8s.io', resource: 'networkpolicies', namespace };
      expect(await listObjects({ api, ref })).toEqual([]);
    } finally {
      await close();
      await service.stop();
    }
  },
);

function isOurs(line: string): boolean {
  try {
    const { level, msg } = JSON.parse(line);
    return level === 'info' && typeof msg === 'string';
  } catch {
    return false;
  }
}
