import { z } from 'zod';
import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import { mostLeaseHours } from '../../../core/incident/lease.ts';
import { namespaceNames } from '../fields.ts';
import { changeWindows } from './change-windows-section.ts';

export const guardrails = z
  .strictObject({
    protectedNamespaces: z
      .array(namespaceNames)
      .default([...defaultGuardrails.protectedNamespaces])
      .meta({
        description: 'Nothing automatic happens in these, whatever an alert or a playbook says. `*` stands for any characters.',
        examples: [['kube-*', 'openshift-*']],
      }),
    protectedNodes: z
      .array(z.string().regex(/^[a-z0-9*]([a-z0-9.*-]*[a-z0-9*])?$/, { error: 'not the name of a node' }))
      .default([])
      .meta({
        description:
          'Nodes to which nothing is done, whoever approves it. `*` stands for any characters. What runs on them is protected by its namespace.',
        examples: [['control-plane-*']],
      }),
    ownerShare: z
      .number()
      .min(0)
      .max(1)
      .default(defaultGuardrails.ownerShare)
      .meta({ description: 'Largest share of one owner’s replicas that is contained automatically; at least one pod.' }),
    namespaceCap: z
      .int()
      .min(1)
      .default(defaultGuardrails.namespaceCap)
      .meta({ description: 'Pods contained automatically in one namespace, in one window.' }),
    namespaceReserve: z.int().min(0).default(defaultGuardrails.namespaceReserve).meta({
      description:
        'Pods of each namespace that are contained automatically even if the cluster’s cap is used up: no other namespace can use them.',
    }),
    clusterCap: z
      .int()
      .min(1)
      .default(defaultGuardrails.clusterCap)
      .meta({ description: 'Pods contained automatically in the cluster, in one window.' }),
    capWindowMinutes: z.int().min(1).max(1_440).default(60).meta({
      description:
        'Length of that window in minutes: what was contained before it no longer counts, even if it is still contained.',
    }),
    cells: z.int().min(1).max(16).default(1).meta({
      description:
        'How many cells of this cluster run side by side. They share the caps: with two, each leaves the other as many places as it takes itself, and the last may stay free.',
    }),
    longestLeaseHours: z.int().min(1).max(mostLeaseHours).default(72).meta({
      description: 'The most hours for which a step may take something at once, whatever a playbook says; people may extend it.',
    }),
    changeWindows,
  })
  .prefault({});
