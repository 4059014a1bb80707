import { isDeepStrictEqual } from 'node:util';
import type { Right } from '../../core/action/action.ts';
import {
  type HardeningReport,
  type ReportedWorkload,
  reportedKinds,
  reportedSubject,
  reportGroup,
  reportSource,
  reportVersion,
} from '../../core/cluster/hardening-report.ts';
import { names } from '../../core/cluster/labels.ts';
import { undefinedIf } from '../../core/errors.ts';
import { type KubernetesApi, pathOf } from './client.ts';
import { createObject, deleteObject, listObjects, type ObjectJson, type ObjectRef, readObject } from './objects.ts';
import type { RollingObject } from './workloads/rollout.ts';
import { workloadRef } from './workloads/workloads.ts';

const kind = { kind: 'Report', group: reportGroup, version: reportVersion, resource: 'reports' };

/** Rights to maintain reports, and to read the workloads that they are about. */
export const reportRights: readonly Right[] = [
  { apiGroup: reportGroup, resource: kind.resource, verbs: ['get', 'list', 'create', 'patch', 'delete'] },
  ...reportedKinds.map((one) => ({ apiGroup: 'apps', resource: `${one.toLowerCase()}s`, verbs: ['get'] })),
];

const withinMs = 5_000;

/** `shop/firebreak-deployment-cart-0123456789`. */
export function placeOfReport({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

/** Reads and writes OpenReports reports, and reads the workloads they are about. */
export class HardeningReports {
  readonly #api: KubernetesApi;
  readonly #signal: AbortSignal;

  constructor(api: KubernetesApi, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  /** All reports that are marked as Firebreak's and say so, whoever wrote that; undefined if the API server does not have the kind. */
  async list(): Promise<ReadonlyMap<string, ObjectJson> | undefined> {
    const query = { labelSelector: `${names.managedByLabel}=firebreak` };
    const listing = listObjects({ api: this.#api, ref: kind, query, signal: this.#limit() });
    const own = (await listing.catch(undefinedIf('FB_ERR_NOT_FOUND')))?.filter(({ source }) => source === reportSource);
    return own && new Map(own.map((object) => [placeOfReport(object.metadata), object]));
  }

  /** The current workload of an incident; undefined if it is gone, or of a kind without findings. */
  async workload(incident: string): Promise<(ReportedWorkload & { readonly template: unknown }) | undefined> {
    const subject = reportedSubject(incident);
    if (!subject) return undefined;
    const object: RollingObject | undefined = await readObject({
      api: this.#api,
      ref: workloadRef(subject, reportedKinds),
      signal: this.#limit(),
    });
    const template = object?.spec?.template;
    const spec = template?.spec;
    if (!object || typeof spec !== 'object' || spec === null) return undefined;
    return { uid: object.metadata.uid, spec: { ...spec }, template };
  }

  isAsReported({ content, labels }: HardeningReport, object: ObjectJson): boolean {
    const found = object.metadata.labels ?? {};
    return (
      Object.entries(labels).every(([name, value]) => found[name] === value) &&
      Object.entries(content).every(([field, value]) => isDeepStrictEqual(object[field], value))
    );
  }

  /** Creates the report, or corrects its content. */
  async write(report: HardeningReport): Promise<void> {
    const ref = { ...kind, namespace: report.namespace, name: report.name };
    const { labels, content } = report;
    const metadata = { labels };
    if (await createObject({ api: this.#api, ref, metadata, content, signal: this.#limit() })) return;
    // Objects are merged: fields that somebody else wrote into them are removed.
    const object = await readObject({ api: this.#api, ref, signal: this.#limit() });
    const merged = Object.entries(content).map(([field, value]) => [field, replacing(object?.[field], value)]);
    await this.#api.json({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf(ref),
      query: { fieldManager: names.fieldManager },
      body: { metadata, ...Object.fromEntries(merged) },
      what: `patch ${kind.resource} in ${ref.namespace}`,
      signal: this.#limit(),
    });
  }

  async remove(object: ObjectJson): Promise<void> {
    const { namespace = '', name } = object.metadata;
    const ref: ObjectRef = { ...kind, namespace, name };
    await deleteObject({ api: this.#api, ref, seen: object, signal: this.#limit() });
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(withinMs)]);
  }
}

function replacing(found: unknown, wanted: unknown): unknown {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return wanted;
  const over = typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.keys(found) : [];
  return { ...Object.fromEntries(over.map((field) => [field, null])), ...wanted };
}
