import { z } from 'zod';
import { actions as all } from '../../../core/actions/index.ts';
import { httpUrl, labelName, namespaceName, secret } from '../fields.ts';
import { quarantine } from './quarantine-section.ts';

const offered = all.flatMap(({ name, optIn }) => (optIn ? [name] : []));

const webhook = z.strictObject({
  url: httpUrl.meta({ description: 'Where the signed events go.', examples: ['https://nodes.example.com/firebreak'] }),
  secret: secret.meta({ description: 'Secret that the events are signed with (HMAC-SHA256).' }),
  timeoutSeconds: z.number().min(1).max(10).default(5).meta({ description: 'For one call.' }),
});

const gitops = z.strictObject({
  argocd: z
    .strictObject({
      namespace: namespaceName.default('argocd').meta({
        description: 'Namespace of the applications whose tracking mark names none: that of Argo CD itself.',
      }),
      instanceLabel: labelName.exactOptional().meta({
        description:
          'Label by which this Argo CD tracks, if it uses a label of its own (`application.instanceLabelKey` in `argocd-cm`). Absent: `app.kubernetes.io/instance`. Its annotation, and `argocd.argoproj.io/instance`, always count.',
        examples: ['example.com/application'],
      }),
    })
    .exactOptional()
    .meta({
      description: 'Applications of Argo CD. Needs `deploy/rbac/gitops/argocd.yaml`.',
      examples: [{ namespace: 'argocd' }],
    }),
  flux: z
    .boolean()
    .default(false)
    .meta({ description: 'Kustomizations and Helm releases of Flux. Needs `deploy/rbac/gitops/flux.yaml`.' }),
});

export const actions = z
  .strictObject({
    optIn: z
      .array(z.enum(offered, { error: `not one of the actions that are off by default: ${offered.join(', ')}` }))
      .default([])
      .meta({
        description: `Actions to turn on that are off by default: ${offered.map((name) => `\`${name}\``).join(', ')}. Each needs its own manifest, \`deploy/rbac/opt-in/NAME.yaml\`.`,
        examples: [offered.slice(0, 1)],
      }),
    quarantine: quarantine.meta({
      description: 'What a quarantined pod may still do, in every quarantine. Absent: nothing. See `firebreak docs containment`.',
    }),
    appArmorOnEveryNode: z.boolean().default(false).meta({
      description:
        'Every node has AppArmor: `hardenWorkload` may name a profile. Otherwise it does so only if, on each node, a pod that runs under one proves it.',
    }),
    gitops: gitops.prefault({}).meta({
      description:
        'What is looked up, and paused while `suspendRollout`, `suspendCronJob` or `scaleToZero` holds a workload that it declares. Absent: nothing. See `firebreak docs gitops`.',
    }),
    nodeIsolation: z
      .strictObject({
        webhook: webhook.meta({
          description: 'The provider’s security group, or whatever else cuts a node off, behind a service of yours.',
        }),
      })
      .exactOptional()
      .meta({
        description:
          'How `cordonNode` has a node cut off from its network. Absent: a cordon only. See `firebreak docs containment`.',
      }),
  })
  .prefault({});
