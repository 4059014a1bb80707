import { z } from 'zod';
import { parseCidr } from '../../cluster/cidr.ts';

export const cidrSchema = z.string().refine((text) => parseCidr(text) !== undefined, { error: 'neither an address nor a CIDR' });

export const isolateNamespaceInput = z.object({
  namespace: z.string().min(1),
  allow: z
    .object({
      dns: z.boolean().exactOptional().meta({ description: 'Queries to the cluster’s DNS in `kube-system`.' }),
      namespaces: z
        .array(z.string().min(1))
        .max(32)
        .exactOptional()
        .meta({ description: 'Namespaces whose pods may talk with the pods of this one, in and out.' }),
      cidrs: z.array(cidrSchema).max(32).exactOptional().meta({ description: 'Addresses and CIDRs, in and out.' }),
    })
    .exactOptional()
    .meta({ description: 'What stays possible. Absent: nothing.' }),
});
export type IsolateNamespaceInput = z.infer<typeof isolateNamespaceInput>;

export const isolateNamespaceOutput = z.object({
  namespace: z.string(),
  policy: z.string(),
  /** Other policies of the namespace that still allow something. */
  additivePolicies: z.array(z.string()),
});
export type IsolateNamespaceOutput = z.infer<typeof isolateNamespaceOutput>;
