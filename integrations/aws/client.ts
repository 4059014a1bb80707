import { readFile } from 'node:fs/promises';
import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  IAMClient,
  type IAMClientConfig,
  ListAccessKeysCommand,
  ListUserTagsCommand,
  TagUserCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient, type STSClientConfig } from '@aws-sdk/client-sts';
import { FirebreakError } from '../../core/errors.ts';
import { boundedAnswer } from '../bounded-answers.ts';
import { AwsError, asked } from './answers.ts';

/** A complete access key; only its creator ever sees its secret. */
export interface AccessKeyLogin {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The token file is read again whenever the role's credentials expire: the kubelet replaces it. */
export interface WebIdentity {
  readonly roleArn: string;
  readonly tokenFile: string;
}

export interface AwsOptions {
  readonly region: string;
  readonly login: AccessKeyLogin | WebIdentity;
  /** Absent: Amazon's own endpoints. */
  readonly endpoints?: { readonly iam?: string; readonly sts?: string };
}

export interface ListedKey {
  readonly id: string;
  readonly isActive: boolean;
}

/** STS error codes for a key that does not exist, is not active, or has a different secret. */
const refusedLogins = new Set(['InvalidClientTokenId', 'SignatureDoesNotMatch', 'InvalidAccessKeyId']);
const handler = { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true };
const largestAnswer = 1_048_576;
const asItComes = { step: 'deserialize', priority: 'low' } as const;

function openIam(options: IAMClientConfig): IAMClient {
  const client = new IAMClient({ ...options, requestHandler: handler });
  client.middlewareStack.add((next) => async (args) => boundedAnswer(await next(args), largestAnswer), asItComes);
  return client;
}

function openSts(options: STSClientConfig): STSClient {
  const client = new STSClient({ ...options, requestHandler: handler });
  client.middlewareStack.add((next) => async (args) => boundedAnswer(await next(args), largestAnswer), asItComes);
  return client;
}

/** IAM and STS, as far as rotation needs them. Errors contain the AWS error code, but none of its messages. */
export class Aws {
  readonly #iam: IAMClient;
  /** For calls that must not be made twice: otherwise the SDK would repeat a call whose answer was lost. */
  readonly #once: IAMClient;
  /** Id of the key with which this client authenticates; absent if it uses a role. */
  readonly ownKey: string | undefined;
  readonly #sts: { readonly region: string; readonly endpoint?: string };

  constructor({ region, login, endpoints: { iam, sts } = {} }: AwsOptions) {
    this.#sts = { region, ...(sts !== undefined && { endpoint: sts }) };
    this.ownKey = 'roleArn' in login ? undefined : login.accessKeyId;
    const credentials = 'roleArn' in login ? () => this.#assume(login) : login;
    const place = { region, ...(iam !== undefined && { endpoint: iam }), credentials };
    this.#iam = openIam({ ...place, maxAttempts: 3 });
    // Both clients share one role session.
    this.#once = openIam({ ...place, credentials: this.#iam.config.credentials, maxAttempts: 1 });
  }

  /** At most two: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
  async keysOf(user: string, signal: AbortSignal): Promise<readonly ListedKey[]> {
    const command = new ListAccessKeysCommand({ UserName: user });
    const { AccessKeyMetadata: keys = [] } = await asked('list access keys', signal, (how) => this.#iam.send(command, how));
    return keys.flatMap(({ AccessKeyId: id, Status: status }) =>
      id === undefined ? [] : [{ id, isActive: status !== 'Inactive' }],
    );
  }

  async createKey(user: string, signal: AbortSignal): Promise<AccessKeyLogin> {
    const command = new CreateAccessKeyCommand({ UserName: user });
    const { AccessKey: key } = await asked('create an access key', signal, (how) => this.#once.send(command, how));
    if (!key?.AccessKeyId || !key.SecretAccessKey)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'AWS, create an access key: no key in the answer');
    return { accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey };
  }

  /** Succeeds even if the key no longer exists. */
  async disableKey(user: string, id: string, signal: AbortSignal): Promise<void> {
    const command = new UpdateAccessKeyCommand({ UserName: user, AccessKeyId: id, Status: 'Inactive' });
    await orGone(asked('disable an access key', signal, (how) => this.#iam.send(command, how)));
  }

  /** Succeeds even if the key no longer exists. */
  async deleteKey(user: string, id: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: id });
    await orGone(asked('delete an access key', signal, (how) => this.#iam.send(command, how)));
  }

  /** As far as IAM knows at the moment. */
  async wasUsed(id: string, signal: AbortSignal): Promise<boolean> {
    const command = new GetAccessKeyLastUsedCommand({ AccessKeyId: id });
    const answer = await orGone(asked('look up when a key was used', signal, (how) => this.#iam.send(command, how)));
    return answer?.AccessKeyLastUsed?.LastUsedDate !== undefined;
  }

  async tagOf(user: string, name: string, signal: AbortSignal): Promise<string | undefined> {
    for (let marker: string | undefined; ; ) {
      const command = new ListUserTagsCommand({ UserName: user, ...(marker !== undefined && { Marker: marker }) });
      const { Tags: tags = [], Marker: next } = await asked('list tags', signal, (how) => this.#iam.send(command, how));
      const found = tags.find(({ Key: key }) => key === name);
      if (found || next === undefined) return found?.Value;
      marker = next;
    }
  }

  async tag(user: string, name: string, value: string, signal: AbortSignal): Promise<void> {
    const command = new TagUserCommand({ UserName: user, Tags: [{ Key: name, Value: value }] });
    await asked('tag a user', signal, (how) => this.#iam.send(command, how));
  }

  /** The identity behind a key, as an ARN; undefined if the key is refused. Everyone may ask this about themselves, whatever the policies say. */
  async whoIs(login: AccessKeyLogin, signal: AbortSignal): Promise<string | undefined> {
    const client = openSts({ ...this.#sts, credentials: login, maxAttempts: 2 });
    try {
      const command = new GetCallerIdentityCommand({});
      const { Arn: arn } = await asked('look up whose key it is', signal, (how) => client.send(command, how));
      return arn;
    } catch (error) {
      if (error instanceof AwsError && refusedLogins.has(error.awsCode)) return undefined;
      throw error;
    } finally {
      client.destroy();
    }
  }

  async #assume({ roleArn, tokenFile }: WebIdentity) {
    const token = await readFile(tokenFile, 'utf8').catch(() => {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `AWS: the web identity’s token cannot be read from ${tokenFile}`);
    });
    // This call is not signed.
    const credentials = { accessKeyId: '', secretAccessKey: '' };
    const client = openSts({ ...this.#sts, credentials, maxAttempts: 3 });
    try {
      const command = new AssumeRoleWithWebIdentityCommand({
        RoleArn: roleArn,
        RoleSessionName: 'firebreak',
        WebIdentityToken: token.trim(),
      });
      const signal = AbortSignal.timeout(20_000);
      const { Credentials: own } = await asked('assume the role', signal, (how) => client.send(command, how));
      if (!own?.AccessKeyId || !own.SecretAccessKey || !own.SessionToken)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', 'AWS, assume the role: no credentials in the answer');
      return {
        accessKeyId: own.AccessKeyId,
        secretAccessKey: own.SecretAccessKey,
        sessionToken: own.SessionToken,
        ...(own.Expiration && { expiration: own.Expiration }),
      };
    } finally {
      client.destroy();
    }
  }
}

async function orGone<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AwsError && error.awsCode === 'NoSuchEntity') return undefined;
    throw error;
  }
}
