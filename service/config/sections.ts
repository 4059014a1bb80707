import { z } from 'zod';
import { entities } from '../../core/compliance/notification.ts';
import { noveltyHours } from '../../core/novelty/novelty.ts';
import { bucketFields, id, listen, namespaceName, path, playbookId, secret } from './fields.ts';
import { playbookParams } from './sections/packs-section.ts';
import { transparencyLog } from './sections/records/log-section.ts';
import { retention } from './sections/records/retention-section.ts';

const temporalTls = z
  .strictObject({
    caFile: path.exactOptional().meta({
      description:
        'Authorities (PEM) whose server certificates are trusted. Absent: those of the system. Read again when it changes.',
    }),
    certFile: path.exactOptional().meta({ description: 'Client certificate (PEM). Read again when it changes.' }),
    keyFile: path.exactOptional().meta({ description: 'Its private key (PEM).' }),
    serverName: z.string().min(1).exactOptional().meta({
      description: 'Name that the server’s certificate must bear. Absent: the host of `address`.',
    }),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: 'certFile and keyFile are needed together',
    path: ['certFile'],
  });

export const temporal = z
  .strictObject({
    address: z
      .string()
      .regex(/^[^\s/]+$/, { error: 'not a host and port: no https://, path or space' })
      .exactOptional()
      .meta({
        description:
          'Host and port of the Temporal frontend. Default: `TEMPORAL_ADDRESS` of the environment, else `127.0.0.1:7233`.',
        examples: ['temporal.example.com:7233'],
      }),
    namespace: z.string().min(1).exactOptional().meta({
      description: 'Temporal namespace. Default: `TEMPORAL_NAMESPACE` of the environment, else `default`.',
    }),
    tls: z
      .union([z.boolean(), temporalTls], { error: 'not true, false or an object' })
      .exactOptional()
      .meta({
        description:
          'TLS to Temporal: `true` with the authorities of the system, or an object. Default: what `TEMPORAL_TLS` and the other `TEMPORAL_TLS_…` of the environment say; `true` with an API key, else none.',
        examples: [{ caFile: 'temporal-ca.pem', certFile: 'client.pem', keyFile: 'client.key' }],
      }),
    apiKey: secret.exactOptional().meta({
      description: 'API key for Temporal, sent with each call. Default: `TEMPORAL_API_KEY` of the environment, else none.',
    }),
    codecKeys: z
      .array(
        z.strictObject({
          id: id.meta({ description: 'Written next to each payload, so that it can be found again.', examples: ['2026-11'] }),
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
    ownNamespace: namespaceName.exactOptional().meta({
      description:
        'Namespace in which Firebreak runs. Nothing is ever done there, whoever approves it, and Firebreak creates its own pods there. Absent: the namespace of its pod; outside the cluster, `firebreak`.',
    }),
    events: z.boolean().default(true).meta({
      description:
        'Events on the objects that were touched tell their owners what was done, why, until when and whom to ask: `kubectl describe pod` shows them.',
    }),
    resources: z
      .strictObject({
        enabled: z.boolean().default(true).meta({
          description:
            'Shows each incident and each containment as a resource of the cluster: `kubectl get incidents,containments`. Needs their definitions (`deploy/crds`, which the chart installs); without them nothing is shown.',
        }),
        retentionDays: z.number().positive().max(365).default(7).meta({ description: 'How long ended incidents are shown.' }),
      })
      .prefault({}),
    reports: z.boolean().default(true).meta({
      description:
        'Reports which Pod Security rules the workload of each open incident breaks, as a report of OpenReports (`kubectl get reports`). Where their definitions are not in the cluster, nothing is reported.',
    }),
    contact: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^\p{C}]*$/u, { error: 'must be one line' })
      .exactOptional()
      .meta({
        description:
          'Where owners of applications find out who decides. It is shown in Events, to everybody who may read the namespace.',
        examples: ['#security on Slack'],
      }),
  })
  .prefault({});

export const novelty = z
  .strictObject({
    enabled: z.boolean().default(true).meta({
      description:
        'Whether each alert says what in it is new for its workload. If `false`, nothing is remembered, and no playbook that asks for `novel` runs.',
    }),
    learningHours: z.number().min(0).max(720).default(noveltyHours.learning).meta({
      description:
        'How long something has to be seen until it is known, and how long a sender is observed before anything counts as novel.',
    }),
    rolloutHours: z.number().min(0).max(168).default(noveltyHours.rollout).meta({
      description:
        'How long after the rollout of a new image what comes with it is learned and does not count as novel. 0: it counts.',
    }),
    raisesSeverity: z.boolean().default(false).meta({
      description:
        'Whether novel alerts are raised by one severity: `info` to `low`, `low` to `medium`, `medium` to `high`, and never to `critical`.',
    }),
  })
  .prefault({});

export const status = z.strictObject({
  listen: listen(8767).meta({ description: 'Where it listens. It has no authentication: keep it inside the cluster.' }),
});

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
            .meta({ description: 'Also calls the group by the pager, each time a lease is renewed in silence.' }),
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
    effectChecks: z
      .array(z.number().positive().max(1_440))
      .max(5)
      .refine((minutes) => minutes.every((one, n) => n === 0 || one > (minutes[n - 1] ?? 0)), {
        error: 'each has to be longer than the one before',
      })
      .default([10, 60])
      .meta({
        description:
          'Minutes after a containment (of pods, an account, a node, a namespace, a workload) at which the cell checks whether it has helped, for the record and the thread. With `countConnections` in `actions.optIn`, the open connections of a quarantined pod are counted, too. `[]`: never.',
      }),
    posture: z.boolean().default(true).meta({
      description:
        'Whether the cell reads what a workload is allowed to do (Pod Security, service account) when its incident opens, for the record.',
    }),
    deadlines: z
      .strictObject({
        callMinutesBefore: z.array(z.number().positive().max(10_080)).max(10).default([240, 60]).meta({
          description:
            'Minutes before a notification is due at which people are called if it is not sent. They are called again when it is overdue.',
        }),
        group: id.exactOptional().meta({ description: 'Which group of the roster. Absent: the first of `levels`.' }),
        entity: z.enum(entities).default('other').meta({
          description:
            'What the organisation is under NIS2. `trust-service-provider`: the incident notification is due 24 hours after becoming aware, and not 72 (Article 23(4), second subparagraph).',
        }),
      })
      .prefault({})
      .meta({
        description:
          'Notifications to authorities that people have found due (`firebreak deadlines`): see `firebreak docs compliance`.',
      }),
    maxBodies: z.int().min(1).max(100).default(8).meta({ description: 'Playbooks that run at once in one incident.' }),
  })
  .prefault({});

export const desk = z
  .strictObject({
    listen: listen(8766),
    voteKeyFile: path.exactOptional().meta({
      description:
        'Ed25519 private key (PEM) with which the desk signs votes and everything else that it says. Default: `keys/vote.pem` in the state directory.',
    }),
    votePublicKeys: z.array(path).min(1).exactOptional().meta({
      description: 'Public keys (PEM) of the desks that are trusted. Default: `keys/vote.pem.pub` in the state directory.',
    }),
  })
  .prefault({});

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
    retiredNotaryKeys: z
      .array(path)
      .default([])
      .meta({
        description:
          'Public keys (PEM) of the notary from before its key was replaced, the latest first. What they signed until then stays valid; without them the notary does not continue.',
        examples: [['/var/lib/firebreak/keys/notary-2026.pem.pub']],
      }),
    everySeconds: z.int().min(1).max(60).default(30).meta({ description: 'Longest time between two checkpoints.' }),
    log: transparencyLog.meta({
      description:
        'The checkpoints as a transparency log (C2SP tlog-tiles) outside the database, which third-party tools can read and check.',
    }),
    alertDays: z.int().min(0).max(3_650).default(30).meta({
      description:
        'Days for which the alerts of incidents are kept as they were, with labels and command lines, sealed with the codec’s key: `firebreak backtest` and `firebreak simulate --records` read them. The records themselves stay for as long as `retention` says. 0: not kept.',
    }),
    retention,
  })
  .prefault({});

export const backup = z
  .strictObject({
    s3: z.strictObject(bucketFields('firebreak-backups')).exactOptional().meta({
      description: 'An S3 bucket: `firebreak backup --to s3`. The account that writes to it does not need the right to delete.',
    }),
  })
  .prefault({});

export const log = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info')
      .meta({ description: 'Lowest level that is written.' }),
    format: z.enum(['json', 'text']).default('json').meta({ description: '`json`: one object per line; `text`: for people.' }),
  })
  .prefault({});

export const playbooks = z
  .strictObject({
    enabled: z
      .union([z.literal('all'), z.array(playbookId)], { error: 'neither all nor a list of playbook ids' })
      .default('all')
      .meta({
        description:
          '`all`, or a list of playbook ids, `PACK/PLAYBOOK`; what is shipped is the pack `firebreak`. Those for unanswered alerts are always among them: `firebreak/contain-unanswered` contains a pod if the [assessment](assessment.md) says so and no other playbook that answers may; `firebreak/ask-about-unanswered` asks people about a serious alert that no playbook answers.',
        examples: [['firebreak/contain-dropped-binary']],
      }),
    params: playbookParams.meta({
      description:
        'Values for what playbooks leave open, by playbook and parameter; `firebreak playbooks show ID` lists them with their defaults.',
      examples: [{ 'our-playbooks/miner': { lease: '8h' } }],
    }),
  })
  .prefault({});

export const keys = z
  .strictObject({
    cellKeyFile: path.exactOptional().meta({
      description:
        'Key of the cell (32 random bytes in base64) that authenticates the before-states on objects. Default: `keys/cell.key` in the state directory.',
    }),
    signing: z
      .strictObject({
        cell: signingKey('cell'),
        secrets: signingKey('secrets'),
        forensics: signingKey('forensics'),
        packs: signingKey('packs'),
      })
      .prefault({})
      .meta({ description: 'The key with which each role signs what it says. The desk uses `desk.voteKeyFile`.' }),
  })
  .prefault({});

function signingKey(role: 'cell' | 'secrets' | 'forensics' | 'packs') {
  return path.exactOptional().meta({
    description: `Ed25519 private key (PEM) of the role \`${role}\`. Default: \`keys/${role}.pem\` in the state directory.`,
  });
}

export const trust = z
  .strictObject({
    cells: z
      .array(
        z.strictObject({
          cluster: id.exactOptional().meta({ description: 'The cluster that it may speak for. Default: `cluster`.' }),
          key: path.meta({ description: 'Its public key (PEM): the `.pub` next to the private one.' }),
        }),
      )
      .min(1)
      .exactOptional()
      .meta({
        description:
          'Cells. A desk for many clusters lists those of all. Default: `keys/cell.pem.pub` in the state directory, for `cluster`.',
        examples: [[{ cluster: 'prod-eu', key: 'keys/prod-eu.pub' }]],
      }),
    secrets: trusted('secrets'),
    forensics: trusted('forensics'),
    packs: trusted('packs'),
  })
  .prefault({});

function trusted(role: 'secrets' | 'forensics' | 'packs') {
  return z
    .array(path)
    .min(1)
    .exactOptional()
    .meta({
      description: `Public keys (PEM) of the pool \`${role}\`. Default: \`keys/${role}.pem.pub\` in the state directory.`,
    });
}
