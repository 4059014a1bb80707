import { z } from 'zod';
import type { QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import { parseCidr } from '../../../core/cluster/cidr.ts';
import { labelName, namespaceName } from '../fields.ts';

const address = z
  .string()
  .refine((text) => !text.includes('/') && parseCidr(text) !== undefined, { error: 'not a single IP address' })
  .transform((text) => parseCidr(text)?.text ?? text);

const labelValue = z.string().regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/, { error: 'not a valid label value' });

const dns = z.strictObject({
  namespace: namespaceName.default('kube-system').meta({ description: 'Namespace of the cluster’s DNS pods.' }),
  podLabels: z
    .record(labelName, labelValue)
    .refine((labels) => Object.keys(labels).length > 0, {
      error: 'at least one label is needed: without any, every pod in the namespace would match',
    })
    .default({ 'k8s-app': 'kube-dns' })
    .meta({ description: 'Labels that select them there.' }),
  addresses: z
    .array(address)
    .default([])
    .meta({
      description:
        'Further addresses: of a DNS cache on each node, or of the Service, if the network applies its policies to that.',
      examples: [['169.254.20.10']],
    }),
});

const forensics = z.strictObject({
  namespace: namespaceName.meta({
    description: 'Namespace from which it is inspected; not Firebreak’s own.',
    examples: ['forensics'],
  }),
});

export const quarantine = z
  .strictObject({
    dns: dns.exactOptional().meta({
      description: 'It may query these on port 53, UDP and TCP; `{}` for the usual ones. A tunnel through DNS stays open.',
      examples: [{ namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' } }],
    }),
    forensics: forensics.exactOptional().meta({ description: 'Pods that may connect to it, on any port.' }),
  })
  .transform((exceptions): QuarantineExceptions => exceptions)
  .prefault({});
