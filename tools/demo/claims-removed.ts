import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditLog, isFirebreaks, isWrite } from './audit-log.ts';
import { changedPolicies } from './claims-contained.ts';
import { type DemoCluster, type Deployment, isRolledOut, type Pod, type Secret, secretsOf } from './cluster.ts';
import { type Claim, changedPods, claim, type Facts, readShop } from './facts.ts';
import { shop } from './shop.ts';

const settleMs = 20_000;

/** People answered "not expected": checks that the pod is gone, and that what it could read was replaced without it seeing the new value. */
export async function removedClaims(options: {
  readonly cluster: DemoCluster;
  readonly audit: AuditLog;
  readonly before: Facts;
}): Promise<readonly Claim[]> {
  const { cluster, audit, before } = options;
  const deadline = Date.now() + settleMs;
  for (;;) {
    const { pods, deployments, secrets, policies } = await readShop(cluster);
    const successor = successorOf(deployments, secrets);
    const claims = [
      claim(`the pod with uid ${before.suspect.metadata.uid.slice(0, 8)}… is gone`, stillThere(pods, before)),
      claim('it was deleted once, by Firebreak', deletions(audit, before)),
      ...shop.consumers.map((app) => consumerClaim({ app, deployments, pods, successor })),
      claim('the new Secret has the same keys, each with a new value', valuesFault(before.secret, successor)),
      claim(`the suspect never had it: it referred only to ${shop.secret}, which is unchanged`, leak(before, secrets, audit)),
      claim('the pods of web were not touched', changedPods(before.others.filter(isWeb), pods)),
      claim('the shop’s own NetworkPolicies are unchanged', changedPolicies(before.policies, policies)),
    ];
    if (claims.every(({ ok }) => ok) || Date.now() > deadline) return claims;
    await sleep(200);
  }
}

function isWeb(pod: Pod): boolean {
  return pod.metadata.labels?.app === 'web';
}

/** The Secret that has replaced the old one in the suspect's Deployment. */
function successorOf(deployments: readonly Deployment[], secrets: readonly Secret[]): Secret | undefined {
  const deployment = deployments.find(({ metadata }) => metadata.name === shop.suspect);
  const [name, ...more] = deployment ? secretsOf(deployment.spec.template.spec) : [];
  if (name === undefined || name === shop.secret || more.length > 0) return undefined;
  return secrets.find(({ metadata }) => metadata.name === name);
}

function stillThere(pods: readonly Pod[], { suspect }: Facts): string | undefined {
  return pods.some(({ metadata }) => metadata.uid === suspect.metadata.uid) ? 'it is still there' : undefined;
}

function deletions(audit: AuditLog, { suspect }: Facts): string | undefined {
  const found = audit
    .events()
    .filter((event) => isWrite(event) && event.verb === 'delete' && event.objectRef?.resource === 'pods')
    .filter((event) => event.objectRef?.name === suspect.metadata.name);
  const ours = found.filter(isFirebreaks).length;
  return ours === 1 ? undefined : `the API server's audit log has ${ours} deletions by Firebreak`;
}

function consumerClaim(options: {
  readonly app: string;
  readonly deployments: readonly Deployment[];
  readonly pods: readonly Pod[];
  readonly successor: Secret | undefined;
}): Claim {
  const { app, deployments, pods, successor } = options;
  const name = successor?.metadata.name;
  const text = `the Deployment ${app} uses the new Secret ${name ?? ''} and is fully rolled out`;
  const deployment = deployments.find(({ metadata }) => metadata.name === app);
  if (!deployment) return claim(text, 'it is gone');
  if (name === undefined)
    return claim(text, `it refers to ${secretsOf(deployment.spec.template.spec).join(', ') || 'no Secret'}`);
  const refers = secretsOf(deployment.spec.template.spec).join(', ');
  if (refers !== name) return claim(text, `it refers to ${refers}`);
  const own = pods.filter(({ metadata }) => metadata.labels?.app === app && metadata.deletionTimestamp === undefined);
  const old = own.filter(({ spec }) => secretsOf(spec).join(', ') !== name);
  if (old.length > 0) return claim(text, `${old.map(({ metadata }) => metadata.name).join(', ')} run with another Secret`);
  return claim(text, isRolledOut(deployment) ? undefined : 'its rollout is not complete');
}

function valuesFault({ data: old = {} }: Secret, successor: Secret | undefined): string | undefined {
  if (!successor) return 'there is no new Secret';
  const { data = {} } = successor;
  const keys = (values: Readonly<Record<string, string>>) => Object.keys(values).sort().join(', ');
  if (keys(old) !== keys(data)) return `its keys are ${keys(data)}`;
  const same = Object.keys(old).filter((key) => old[key] === data[key]);
  return same.length > 0 ? `${same.join(', ')} has the old value` : undefined;
}

function leak({ suspect, secret }: Facts, secrets: readonly Secret[], audit: AuditLog): string | undefined {
  const referred = secretsOf(suspect.spec).join(', ');
  if (referred !== shop.secret) return `it referred to ${referred}`;
  const now = secrets.find(({ metadata }) => metadata.uid === secret.metadata.uid);
  if (now && now.metadata.resourceVersion !== secret.metadata.resourceVersion) return `${shop.secret} was changed`;
  const written = audit
    .events()
    .filter((event) => isWrite(event) && event.objectRef?.resource === 'secrets' && event.objectRef.name === shop.secret);
  return written.length > 0
    ? `${shop.secret} was written to by ${written.map(({ user }) => user.username).join(', ')}`
    : undefined;
}
