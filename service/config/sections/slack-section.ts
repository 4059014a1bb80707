import { z } from 'zod';
import { httpUrl, id, secret } from '../fields.ts';

export const slack = z
  .strictObject({
    mode: z.enum(['http', 'socket']).default('http').meta({
      description:
        'How Slack’s requests come: to the desk’s address, each signed; or by Socket Mode, over a connection that the desk opens.',
    }),
    appId: z
      .string()
      .regex(/^A[A-Z0-9]+$/, { error: 'not a Slack app id (A…)' })
      .meta({ description: 'App id.', examples: ['A0123456789'] }),
    teamId: z
      .string()
      .regex(/^T[A-Z0-9]+$/, { error: 'not a Slack team id (T…)' })
      .meta({ description: 'Workspace id.', examples: ['T0123456789'] }),
    channel: z
      .string()
      .regex(/^[CG][A-Z0-9]+$/, { error: 'not a Slack channel id (C… or G…); a name is not enough' })
      .meta({ description: 'Channel id that gets the cards.', examples: ['C0123456789'] }),
    botToken: secret.meta({ description: 'Bot token (`xoxb-…`).' }),
    signingSecrets: z
      .array(secret)
      .min(1)
      .exactOptional()
      .meta({
        description: 'Signing secrets, where `mode` is `http`; more than one while they are rotated.',
        examples: [[{ env: 'SLACK_SIGNING_SECRET' }]],
      }),
    appToken: secret.exactOptional().meta({
      description: 'App-level token (`xapp-…`) with the scope `connections:write`, where `mode` is `socket`.',
      examples: [{ env: 'SLACK_APP_TOKEN' }],
    }),
    userGroups: z
      .record(id, z.string().regex(/^S[A-Z0-9]+$/, { error: 'not a Slack user group id (S…); a name is not enough' }))
      .exactOptional()
      .meta({
        description:
          'Group of the roster → user group of Slack: in Slack only who is in both may answer. Needs the scope `usergroups:read`.',
        examples: [{ leads: 'S0123456789' }],
      }),
    apiUrl: httpUrl.exactOptional().meta({ description: 'Other base URL of the Web API, for tests.' }),
  })
  .superRefine(({ mode, signingSecrets, appToken }, context) => {
    const needed = mode === 'http' ? { key: 'signingSecrets', given: signingSecrets } : { key: 'appToken', given: appToken };
    if (needed.given === undefined)
      context.addIssue({
        code: 'custom',
        path: [needed.key],
        message: `is needed where mode is ${mode}`,
        params: { remedy: 'See `firebreak docs slack`.' },
      });
  });
