import type { Right } from '../../core/action/action.ts';
import { names } from '../../core/cluster/labels.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type CellKey, seal, unseal } from '../../core/messages/sealed.ts';
import { canonicalJson, sha256Hex } from '../../core/text/digest.ts';
import type { KubernetesApi } from './client.ts';
import { createObject, type ObjectRef, patchField, readObject } from './objects.ts';

/** Right needed if several cells of a cluster could begin the same run, or do the same step. */
export const claimRight: Right = {
  apiGroup: 'coordination.k8s.io',
  resource: 'leases',
  verbs: ['get', 'create', 'patch'],
  in: 'own namespace',
};

/**
 * Among several cells of a cluster, only one begins a run: the first to write it onto the playbook's Lease in Firebreak's own namespace, by compare-and-swap.
 * What Temporal says plays no part in it.
 *
 * @param options.holder the same after a restart: a cell that stopped between claim and run still has its claim
 * @throws FB_ERR_CONFLICT if another writes at the same moment, and what the API server throws: then it is read again
 */
export function claimedByLease(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly cluster: string;
  readonly holder: string;
  readonly now?: () => number;
}): (playbook: string, due: number) => Promise<boolean> {
  const { api, namespace, cluster, holder, now = Date.now } = options;
  return async (playbook, due) => {
    const name = `firebreak-run-${sha256Hex(`${cluster}\n${playbook}`).slice(0, 20)}`;
    const ref: ObjectRef = { kind: 'Lease', group: 'coordination.k8s.io', resource: 'leases', namespace, name };
    const annotations = { [names.runDueAnnotation]: String(due), [names.playbookAnnotation]: playbook };
    // Microseconds, as the API requires.
    const spec = { holderIdentity: holder, acquireTime: new Date(now()).toISOString().replace('Z', '000Z') };
    const seen = await readObject({ api, ref });
    if (!seen) {
      if (await createObject({ api, ref, metadata: { annotations }, content: { spec } })) return true;
      return isOf(await readObject({ api, ref }), due, holder);
    }
    const taken = dueOf(seen);
    if (taken !== undefined && taken >= due) return isOf(seen, due, holder);
    await patchField({ api, ref, seen, path: ['spec'], value: spec, annotations });
    return true;
  };
}

/** As long as votes are valid. */
const doneForMs = 30 * 86_400_000;
/** This many entries of `mostOutputBytes` stay below the 256 KiB that the API server accepts. */
const mostDone = 100;
const mostOutputBytes = 2_000;

/**
 * Records which approved steps the cells of a cluster have done, and their results, on one Lease per incident: the next incident of a workload uses the same
 * Lease. Written by compare-and-swap, and sealed: anyone who may write there can have a step refused, and no more.
 *
 * @throws FB_ERR_CONFLICT if another writes at the same moment, and what the API server throws: then it is done again
 */
export function doneByLease(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly holder: string;
  readonly cellKey: CellKey;
  readonly now?: () => number;
}): {
  readonly doneBefore: (incident: string, step: string) => Promise<{ readonly output?: unknown } | undefined>;
  readonly done: (incident: string, step: string, output: unknown) => Promise<void>;
} {
  const { api, namespace, holder, cellKey, now = Date.now } = options;
  const refOf = (incident: string): ObjectRef => {
    const name = `firebreak-steps-${sha256Hex(incident).slice(0, 32)}`;
    return { kind: 'Lease', group: 'coordination.k8s.io', resource: 'leases', namespace, name };
  };
  const noteOn = (lease: Lease, step: string): string | undefined => lease?.metadata.annotations?.[annotationOf(step)];
  return {
    doneBefore: async (incident, step) => {
      const text = noteOn(await readObject({ api, ref: refOf(incident) }), step);
      if (text === undefined) return undefined;
      const opened = unseal(domainOf(step), text, cellKey);
      const isOurs = opened.kind === 'read' && opened.authentic === 'yes' && 'output' in opened.value;
      return isOurs ? { output: opened.value.output } : {};
    },
    done: async (incident, step, output) => {
      const ref = refOf(incident);
      const spec = { holderIdentity: holder };
      const isShort = Buffer.byteLength(canonicalJson(output)) <= mostOutputBytes;
      const note = { at: now(), ...(isShort && { output }) };
      const own = { [annotationOf(step)]: seal(domainOf(step), note, cellKey) };
      const seen = await readObject({ api, ref });
      if (noteOn(seen, step) !== undefined) return;
      if (seen) {
        await patchField({ api, ref, seen, path: ['spec'], value: spec, annotations: { ...outdatedOn(seen, now()), ...own } });
        return;
      }
      if (await createObject({ api, ref, metadata: { annotations: own }, content: { spec } })) return;
      throw new FirebreakError('FB_ERR_CONFLICT', `${ref.kind} ${ref.name} was created at the same moment`);
    },
  };
}

/** Bound to one step: the result of another step cannot be put in its place. */
function domainOf(step: string): string {
  return `firebreak.done-step.v1\n${step}\n`;
}

function annotationOf(step: string): string {
  return `${names.doneStepPrefix}${sha256Hex(step).slice(0, 32)}`;
}

function outdatedOn(lease: Lease, now: number): Readonly<Record<string, null>> {
  const done = Object.entries(lease?.metadata.annotations ?? {})
    .filter(([name]) => name.startsWith(names.doneStepPrefix))
    .map(([name, text]) => [name, doneAt(text)] as const)
    .sort(([, a], [, b]) => b - a);
  const outdated = done.filter(([, at], index) => index >= mostDone - 1 || !(now - at < doneForMs));
  return Object.fromEntries(outdated.map(([name]) => [name, null]));
}

/** Read without verification: an entry marks the step as done, whoever wrote it. */
function doneAt(text: string): number {
  const opened = unseal('', text, undefined);
  return opened.kind === 'read' && 'at' in opened.value ? Number(opened.value.at) : 0;
}

type Lease = Awaited<ReturnType<typeof readObject>>;

function dueOf(lease: Lease): number | undefined {
  const written = lease?.metadata.annotations?.[names.runDueAnnotation];
  return written !== undefined && /^\d{1,16}$/.test(written) ? Number(written) : undefined;
}

function isOf(lease: Lease, due: number, holder: string): boolean {
  const spec: unknown = lease?.spec;
  const by = typeof spec === 'object' && spec !== null && 'holderIdentity' in spec ? spec.holderIdentity : undefined;
  return dueOf(lease) === due && by === holder;
}
