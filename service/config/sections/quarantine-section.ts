import { z } from 'zod';
import type { QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import { parseCidr } from '../../../core/cluster/cidr.ts';
import { labelName, namespaceName } from '../fields.ts';

const address = z
  .string()
  .refine((text) => !text.includes('/') && parseCidr(text) !== undefined, { error: 'not a single IP address' })
  .transform((text) => parseCidr(text)?.text ?? text);

const labelValue = z.string().regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/, { error: 'not a value of a label' });

const dns = z.strictObject({
  namespace: namespaceName.default('kube-system').meta({ description: 'Where the pods of the cluster’s DNS are.' }),
  podLabels: z
    .record(labelName, labelValue)
    .refine((labels) => Object.keys(labels).length > 0, {
      error: 'at least one label: without any, every pod of the namespace is meant',
    })
    .default({ 'k8s-app': 'kube-dns' })
    .meta({ description: 'Labels by which they are known there.' }),
  addresses: z
    .array(address)
    .default([])
    .meta({
      description:
        'Addresses besides: of a DNS cache on each node, or of the Service where the network asks its policies about that.',
      examples: [['169.254.20.10']],
    }),
});

const forensics = z.strictObject({
  namespace: namespaceName.meta({
    description: 'Namespace of whoever looks into it; not Firebreak’s own.',
    examples: ['forensics'],
  }),
});

export const quarantine = z
  .strictObject({
    dns: dns.exactOptional().meta({
      description: 'It may ask these on port 53, UDP and TCP; `{}` for the usual ones. A tunnel through DNS stays open.',
      examples: [{ namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' } }],
    }),
    forensics: forensics.exactOptional().meta({ description: 'Pods that may connect to it, on any port.' }),
  })
  .transform((exceptions): QuarantineExceptions => exceptions)
  .prefault({});
