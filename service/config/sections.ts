import { z } from 'zod';
import { severities } from '../../core/severity.ts';
import { changeWindows } from './change-windows-section.ts';
import { httpUrl, id, listen, namespaceName, path, secret } from './fields.ts';

export const temporal = z
  .strictObject({
    address: z
      .string()
      .min(1)
      .exactOptional()
      .meta({
        description:
          'Host and port of the Temporal frontend. Default: `TEMPORAL_ADDRESS` of the environment, else `127.0.0.1:7233`.',
        examples: ['temporal.example.com:7233'],
      }),
    namespace: z.string().min(1).exactOptional().meta({
      description: 'Temporal namespace. Default: `TEMPORAL_NAMESPACE` of the environment, else `default`.',
    }),
    codecKeys: z
      .array(
        z.strictObject({
          id: id.meta({ description: 'Written beside each payload, so that it is found again.', examples: ['2026-11'] }),
          key: secret.meta({ description: '32 random bytes in base64 (`openssl rand -base64 32`).' }),
        }),
      )
      .min(1)
      .exactOptional()
      .meta({
        description:
          'Key ring of the payload encryption: the first key encrypts, the others still decrypt. Default: one key in `keys/codec.key` of the state directory.',
      }),
  })
  .prefault({});

export const kubernetes = z
  .strictObject({
    kubeconfig: path.exactOptional().meta({ description: 'Path of a kubeconfig. Absent: the service account of the pod.' }),
    context: z.string().min(1).exactOptional().meta({ description: 'Context of the kubeconfig. Absent: its current one.' }),
  })
  .prefault({});

export const watch = z
  .strictObject({
    namespaces: z
      .array(namespaceName)
      .min(1)
      .exactOptional()
      .meta({
        description: 'Namespaces to watch and to act in. Default: all but the protected ones.',
        examples: [['shop', 'payments']],
      }),
  })
  .prefault({});

export const guardrails = z
  .strictObject({
    protectedNamespaces: z
      .array(namespaceName)
      .default(['kube-system', 'kube-public', 'kube-node-lease', 'firebreak'])
      .meta({ description: 'Nothing automatic happens in these, whatever an alert or a playbook says.' }),
    automaticFrom: z
      .enum(severities)
      .exclude(['unknown'])
      .default('critical')
      .meta({ description: 'Least severity at which a reversible step on one pod runs without asking.' }),
    ownerShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .meta({ description: 'Largest share of one owner’s replicas that is contained automatically; at least one pod.' }),
    namespaceCap: z
      .int()
      .min(1)
      .default(20)
      .meta({ description: 'Pods contained automatically in one namespace, in one window.' }),
    clusterCap: z.int().min(1).default(100).meta({ description: 'Pods contained automatically in the cluster, in one window.' }),
    capWindowMinutes: z.int().min(1).max(1_440).default(60).meta({ description: 'Length of that window in minutes.' }),
    changeWindows,
  })
  .prefault({});

export const incidents = z
  .strictObject({
    levels: z
      .array(
        z.strictObject({
          group: id.meta({ description: 'A group of the roster.', examples: ['oncall'] }),
          withinMinutes: z.number().positive().max(10_080).meta({ description: 'Minutes until the next level is asked.' }),
          page: z
            .boolean()
            .default(false)
            .meta({ description: 'Calls the group by the pager too, each time a lease is renewed in silence.' }),
        }),
      )
      .min(1)
      .default([
        { group: 'oncall', withinMinutes: 15, page: true },
        { group: 'leads', withinMinutes: 60, page: true },
      ])
      .meta({ description: 'Who decides on leases, and who is called when one is renewed because nobody did.' }),
    lingerSeconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(300)
      .meta({ description: 'How long an incident with nothing left to do waits for further alerts before it ends.' }),
    maxBodies: z.int().min(1).max(100).default(8).meta({ description: 'Playbooks that run at once in one incident.' }),
  })
  .prefault({});

const sensor = z.strictObject({
  severities: z
    .record(z.string().min(1), z.enum(severities))
    .default({})
    .meta({ description: 'Rule or policy → severity, in place of the sensor’s own; `*` for all other rules.' }),
  daemonSet: z
    .strictObject({
      namespace: namespaceName.meta({ description: 'Its namespace.' }),
      name: z.string().min(1).meta({ description: 'Its name.' }),
    })
    .exactOptional()
    .meta({
      description:
        'The DaemonSet that puts this sensor on the nodes. A node on which it is silent raises an alert. Absent: no such watch.',
      examples: [{ namespace: 'falco', name: 'falco' }],
    }),
  nodes: z
    .record(z.string().min(1), z.string())
    .default({})
    .meta({
      description: 'Labels of the nodes that must have it. Default: all nodes.',
      examples: [{ 'kubernetes.io/os': 'linux' }],
    }),
  silentAfterSeconds: z.int().min(30).max(86_400).default(120).meta({ description: 'How long it may give no sign of life.' }),
  speaks: z.boolean().default(false).meta({
    description:
      'It sends messages about itself more often than that (Falco’s `metrics` with an interval): then a ready pod is no sign of life.',
  }),
});

export const sensors = z
  .record(id, sensor)
  .default({})
  .meta({ examples: [{ tetragon: { severities: { 'block-c2': 'critical', '*': 'info' } } }] });

export const desk = z
  .strictObject({
    listen: listen(8766),
    voteKeyFile: path.exactOptional().meta({
      description: 'Ed25519 private key (PEM) with which the desk signs votes. Default: `keys/vote.pem` in the state directory.',
    }),
    votePublicKeys: z.array(path).min(1).exactOptional().meta({
      description: 'Public keys (PEM) of desks that the cell believes. Default: `keys/vote.pem.pub` in the state directory.',
    }),
  })
  .prefault({});

export const slack = z
  .strictObject({
    mode: z.enum(['http', 'socket']).default('http').meta({
      description:
        'How Slack’s requests come: to the desk’s address, each signed; or by Socket Mode, over a connection that the desk opens.',
    }),
    appId: z
      .string()
      .regex(/^A[A-Z0-9]+$/, { error: 'not an app id of Slack (A…)' })
      .meta({ description: 'App id.', examples: ['A0123456789'] }),
    teamId: z
      .string()
      .regex(/^T[A-Z0-9]+$/, { error: 'not a team id of Slack (T…)' })
      .meta({ description: 'Workspace id.', examples: ['T0123456789'] }),
    channel: z
      .string()
      .regex(/^[CG][A-Z0-9]+$/, { error: 'not a channel id of Slack (C… or G…); a name is not enough' })
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
    apiUrl: httpUrl.exactOptional().meta({ description: 'Other base URL of the Web API, for tests.' }),
  })
  .superRefine(({ mode, signingSecrets, appToken }, context) => {
    const needed = mode === 'http' ? { key: 'signingSecrets', given: signingSecrets } : { key: 'appToken', given: appToken };
    if (needed.given === undefined)
      context.addIssue({
        code: 'custom',
        path: [needed.key],
        message: `is needed where mode is ${mode}`,
        params: { remedy: 'See docs/slack.md.' },
      });
  });

const auditUrlProblem = 'neither sqlite:PATH nor a secret with the URL of a PostgreSQL database (such a URL holds a password)';

export const audit = z
  .strictObject({
    url: z
      .union([z.string().regex(/^sqlite:.+/, { error: auditUrlProblem }), secret], {
        error: auditUrlProblem,
      })
      .exactOptional()
      .meta({
        description: '`sqlite:PATH`, or a secret that holds a `postgres://` URL. Default: `audit.db` in the state directory.',
        examples: ['sqlite:/var/lib/firebreak/audit.db', { env: 'AUDIT_DATABASE_URL' }],
      }),
    notaryKeyFile: path.exactOptional().meta({
      description: 'Ed25519 private key (PEM) that signs the checkpoints. Default: `keys/notary.pem` in the state directory.',
    }),
    anchorFile: path.exactOptional().meta({
      description:
        'File outside the database that gets each checkpoint; best on another volume. Default: `anchor/checkpoints.jsonl` in the state directory.',
    }),
    everySeconds: z.int().min(1).max(60).default(30).meta({ description: 'Longest time between two checkpoints.' }),
  })
  .prefault({});

export const log = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info')
      .meta({ description: 'Least level that is written.' }),
    format: z.enum(['json', 'text']).default('json').meta({ description: '`json`: one object a line; `text`: for people.' }),
  })
  .prefault({});

export const playbooks = z
  .strictObject({
    enabled: z
      .union([z.literal('all'), z.array(id)], { error: 'neither all nor a list of playbook ids' })
      .default('all')
      .meta({ description: '`all`, or a list of playbook ids.', examples: [['contain-dropped-binary']] }),
  })
  .prefault({});

export const keys = z
  .strictObject({
    cellKeyFile: path.exactOptional().meta({
      description:
        'Key of the cell (32 random bytes in base64) that authenticates the before-states on objects. Default: `keys/cell.key` in the state directory.',
    }),
  })
  .prefault({});
