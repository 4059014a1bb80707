import { z } from 'zod';
import { httpUrl, path, secret, secretKey } from '../fields.ts';

/** Credentials for AWS: an access key, or a role through the pod's service account. */
export const aws = z
  .strictObject({
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, { error: 'not an AWS region' })
      .meta({ description: 'Region: decides which STS is asked, and which partition IAM is in.', examples: ['eu-central-1'] }),
    accessKey: z
      .strictObject({
        id: secret.meta({ description: 'Its id.' }),
        secret: secret.meta({ description: 'Its secret.' }),
      })
      .exactOptional()
      .meta({ description: 'An access key with the policy of [rotation.md](rotation.md). Read once, at the start.' }),
    webIdentity: z
      .strictObject({
        roleArn: z
          .string()
          .regex(/^arn:[-a-z]+:iam::\d{12}:role\/.+$/, { error: 'not the ARN of a role' })
          .meta({ description: 'The role with that policy.', examples: ['arn:aws:iam::111122223333:role/firebreak'] }),
        tokenFile: path
          .default('/var/run/secrets/eks.amazonaws.com/serviceaccount/token')
          .meta({ description: 'Token of the service account for `sts.amazonaws.com`; read again whenever it is needed.' }),
      })
      .exactOptional()
      .meta({ description: 'A role that the account of the pod may assume (on EKS: IRSA).' }),
    endpoints: z
      .strictObject({
        iam: httpUrl.exactOptional().meta({ description: 'URL of IAM.' }),
        sts: httpUrl.exactOptional().meta({ description: 'URL of STS.' }),
      })
      .prefault({})
      .meta({ description: 'Addresses other than Amazon’s own: a VPC endpoint, or a compatible service.' }),
  })
  .refine(({ accessKey, webIdentity }) => (accessKey === undefined) !== (webIdentity === undefined), {
    error: 'exactly one of accessKey and webIdentity is needed',
    params: { remedy: 'Keep webIdentity if you have it: then there is no secret to keep.' },
  });

export const awsAccessKey = z.strictObject({
  user: z
    .string()
    .regex(/^[\w+=,.@-]{1,64}$/, { error: 'not a valid IAM user name' })
    .meta({ description: 'The IAM user whose access key it is, without its path.' }),
  keys: z
    .strictObject({
      accessKeyId: secretKey.default('AWS_ACCESS_KEY_ID').meta({ description: 'Key of the Secret that holds the id.' }),
      secretAccessKey: secretKey.default('AWS_SECRET_ACCESS_KEY').meta({ description: 'Key that holds the secret.' }),
      files: z.array(secretKey).default([]).meta({ description: 'Keys that hold a whole credentials file, with both in it.' }),
    })
    .prefault({})
    .meta({ description: 'Which keys of the Secret hold what.' }),
});
