import { stringify } from 'yaml';
import { z } from 'zod';
import { containmentStatus, incidentStatus } from '../../core/cluster/cluster-resources.schema.ts';
import { type ResourceKind, resourceGroup, resourcePlurals, resourceVersion } from '../../core/cluster/cluster-resources.ts';

interface Column {
  readonly name: string;
  readonly jsonPath: string;
  readonly type?: string;
  /** Above 0 only `--output wide` shows it. */
  readonly priority?: number;
}

const shown: Readonly<
  Record<ResourceKind, { readonly status: z.ZodType; readonly says: string; readonly columns: readonly Column[] }>
> = {
  Incident: {
    status: incidentStatus,
    says: 'What Firebreak knows about an attack on a workload. For display only: changing or deleting it has no effect.',
    columns: [
      { name: 'State', jsonPath: '.status.state' },
      { name: 'Severity', jsonPath: '.status.severity' },
      { name: 'Reached', jsonPath: '.status.reached' },
      { name: 'Verdict', jsonPath: '.status.verdict' },
      { name: 'In force', jsonPath: '.status.containments', type: 'integer' },
      { name: 'Questions', jsonPath: '.status.openQuestions', type: 'integer' },
      { name: 'Opened', jsonPath: '.status.openedAt', type: 'date' },
      { name: 'Ask', jsonPath: '.status.ask', priority: 1 },
    ],
  },
  Containment: {
    status: containmentStatus,
    says: 'Something that Firebreak holds. For display only: changing or deleting it releases nothing.',
    columns: [
      { name: 'Kind', jsonPath: '.status.target.kind' },
      { name: 'Target', jsonPath: '.status.target.name' },
      { name: 'Action', jsonPath: '.status.action' },
      { name: 'In force', jsonPath: '.status.conditions[?(@.type=="InForce")].status' },
      { name: 'Incident', jsonPath: '.status.incident' },
      { name: 'Since', jsonPath: '.status.since', type: 'date' },
      { name: 'Until', jsonPath: '.status.until' },
      { name: 'Ask', jsonPath: '.status.ask', priority: 1 },
    ],
  },
};

/** The definitions of the resources that a cell writes: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ */
export function resourceDefinitions(): ReadonlyMap<string, string> {
  const kinds: readonly ResourceKind[] = ['Incident', 'Containment'];
  return new Map(kinds.map((kind) => [`${resourceGroup}_${resourcePlurals[kind]}.yaml`, definition(kind)]));
}

function definition(kind: ResourceKind): string {
  const { status, says, columns } = shown[kind];
  const plural = resourcePlurals[kind];
  const document = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${resourceGroup}`, labels: { 'app.kubernetes.io/name': 'firebreak' } },
    spec: {
      group: resourceGroup,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), categories: ['firebreak'] },
      versions: [
        {
          name: resourceVersion,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns.map((column) => ({ type: 'string', ...column })),
          schema: { openAPIV3Schema: { type: 'object', description: says, properties: { status: structural(status) } } },
        },
      ],
    },
  };
  const head = '# Made from core/cluster/cluster-resources.schema.ts by tools/deploy/generate.ts: do not edit.';
  return `${head}\n${stringify(document, { lineWidth: 0 })}`;
}

const keywords = new Set(['type', 'description', 'enum', 'format', 'items', 'properties', 'required']);

/** A structural schema allows none of the other keywords of JSON Schema; the cell writes only what zod has typed. */
function structural(type: z.ZodType): unknown {
  return strip(z.toJSONSchema(type));
}

function strip(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([word]) => keywords.has(word))
      .map(([word, value]: [string, unknown]) => {
        if (word === 'items') return [word, strip(value)];
        if (word !== 'properties' || typeof value !== 'object' || value === null) return [word, value];
        return [word, Object.fromEntries(Object.entries(value).map(([name, one]: [string, unknown]) => [name, strip(one)]))];
      }),
  );
}
