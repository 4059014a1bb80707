import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import type { AccessKeyLogin } from '../integrations/aws/client.ts';
import { cachedPart, type OnProgress, withProgress } from '../service/parts/cache.ts';
import { runCommand } from '../service/parts/command.ts';
import { findPython, installWithPip } from '../service/parts/python-package.ts';
import { freePorts } from '../tools/platform/ports.ts';
import { ServerGroup, waitUntilReady } from '../tools/platform/server-group.ts';

/** IAM and STS as implemented by Moto, with signatures and policies checked: an implementation that is not ours. */
const moto = { version: '5.2.1', requirements: ['moto==5.2.1', 'flask==3.1.3', 'flask-cors==6.0.2'] };

export interface AwsServer {
  readonly url: string;
  /** May do everything in IAM. */
  readonly admin: IAMClient;
  /** A key with this policy, for its own user. */
  keyWith(policy: object): Promise<AccessKeyLogin>;
  /** The ARN of a role with this policy. */
  roleWith(policy: object): Promise<string>;
  /** A user with one key. */
  userWithKey(user: string, path?: string): Promise<AccessKeyLogin>;
  anotherKey(user: string): Promise<AccessKeyLogin>;
  /** Turns checks on or off: a call without a signature is answered only while they are off. */
  check(checks: boolean): Promise<void>;
  stop(): Promise<void>;
}

export const region = 'eu-central-1';

/** Where each value is in a Secret, and how patient a test is. */
export const awsShape = {
  keys: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY', files: [] },
  settle: { withinMs: 60_000, everyMs: 10, times: 2 },
};

const fromDocs: unknown = JSON.parse(
  /```json\n([\s\S]*?)```/.exec(readFileSync(join(import.meta.dirname, '../docs/rotation.md'), 'utf8'))?.[1] ?? '',
);

/** The policy that docs/rotation.md asks for, and no more. Moto treats every IAM call as one on `*`, so the users that it names are not tested. */
export const documentedPolicy = onEverything(fromDocs);

function onEverything(policy: unknown): object {
  return JSON.parse(JSON.stringify(policy), (key, value) => (key === 'Resource' ? '*' : value));
}

/** Throws FB_ERR_PLATFORM_PART_MISSING if Moto is not available. */
export async function startAws(): Promise<AwsServer> {
  const { python, modules } = await motoModules((message) => void process.stderr.write(`${message}\n`));
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-aws-'));
  const { aws: port } = await freePorts({ names: ['aws'] });
  const group = new ServerGroup();
  const server = group.start({
    name: 'aws',
    command: python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    logFile: join(folder, 'aws.log'),
    ...(modules !== undefined && { env: { PYTHONPATH: modules } }),
  });
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady({ server, timeoutMs: 60_000, ready: () => isServing(url) });
  const check = async (checks: boolean): Promise<void> => {
    await fetch(`${url}/moto-api/reset-auth`, { method: 'POST', body: checks ? '0' : 'inf' });
  };
  const clientOf = (credentials: AccessKeyLogin) => new IAMClient({ region, endpoint: url, credentials });
  const makeKey = async (by: IAMClient, user: string): Promise<AccessKeyLogin> => {
    const { AccessKey: key } = await by.send(new CreateAccessKeyCommand({ UserName: user }));
    return { accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '' };
  };
  const nobody = clientOf({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'none' });
  const all = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
  const attach = async (user: string, policy: object, by: IAMClient): Promise<AccessKeyLogin> => {
    const PolicyDocument = JSON.stringify(policy);
    await by.send(new CreateUserCommand({ UserName: user }));
    const { Policy: made } = await by.send(new CreatePolicyCommand({ PolicyName: user, PolicyDocument }));
    await by.send(new AttachUserPolicyCommand({ UserName: user, PolicyArn: made?.Arn ?? '' }));
    return makeKey(by, user);
  };
  const admin = clientOf(await attach('admin', all, nobody));
  await check(true);
  let made = 0;
  const freshName = (): string => {
    made += 1;
    return `firebreak-${made}`;
  };
  return {
    url,
    admin,
    check,
    keyWith: (policy) => attach(freshName(), policy, admin),
    async roleWith(policy) {
      const RoleName = freshName();
      const trust = { Version: '2012-10-17', Statement: [] };
      const { Role: role } = await admin.send(
        new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(trust) }),
      );
      await admin.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument: JSON.stringify(policy) }));
      return role?.Arn ?? '';
    },
    async userWithKey(user, path = '/') {
      await admin.send(new CreateUserCommand({ UserName: user, Path: path }));
      return makeKey(admin, user);
    },
    anotherKey: (user) => makeKey(admin, user),
    async stop() {
      admin.destroy();
      await group.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function isServing(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/moto-api/data.json`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  return answer?.ok === true;
}

/** This machine's own if it has exactly this version; otherwise from PyPI, pinned and cached. */
export async function motoModules(onProgress: OnProgress): Promise<{ readonly python: string; readonly modules?: string }> {
  const python = findPython();
  const look = `import flask_cors, moto; raise SystemExit(moto.__version__ != '${moto.version}')`;
  if ((await runCommand({ command: python, args: ['-c', look] })).code === 0) return { python };
  const modules = await cachedPart({
    name: 'moto',
    version: moto.version,
    source: `PyPI: moto ${moto.version}`,
    onProgress,
    install: (draft, run) =>
      withProgress({
        what: `installing moto ${moto.version} from PyPI`,
        onProgress,
        work: () => installWithPip({ requirements: moto.requirements, folder: draft, run }),
      }),
  });
  return { python, modules };
}
