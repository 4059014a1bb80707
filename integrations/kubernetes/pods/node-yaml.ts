import type { V1Node } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import type { Jsonify } from '../watch/projection.ts';
import { redactedMetadata } from './pod-yaml.ts';

export type NodeJson = Jsonify<V1Node>;

/** The node as YAML for the evidence: complete, with conditions, taints, versions, images and allocatable resources; annotations as for a pod. */
export function redactedNodeYaml(node: NodeJson): string {
  return stringify({ ...node, ...(node.metadata && { metadata: redactedMetadata(node.metadata) }) }, { lineWidth: 0 });
}
