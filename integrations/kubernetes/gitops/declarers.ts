import type { Right } from '../../../core/action/action.ts';
import type { Pausing } from '../../../core/action/pausing.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import type { KubernetesApi } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import { type ObjectJson, type ObjectRef, readObject } from '../objects.ts';
import { type Declarer, namedDeclarer, otherWriter, perhapsArgoCd } from '../workloads/writers.ts';

/** The field that is set so that a declarer leaves its object alone; releasing the pause restores this field. */
export interface PausePlace {
  readonly ref: ObjectRef;
  readonly path: readonly string[];
  readonly value: string | boolean;
  /** In words that follow its name: what it no longer does. */
  readonly what: string;
}

/** The declarer of an object, according to the declarer itself. */
interface FoundDeclarer {
  /** What the plan says about it, in sentences. */
  readonly says: readonly string[];
  /** Absent: it is not paused, and `says` states why. */
  readonly place?: PausePlace;
}

const places: Readonly<Record<Declarer['kind'], Pick<ObjectRef, 'group' | 'version' | 'resource'>>> = {
  Application: { group: 'argoproj.io', version: 'v1alpha1', resource: 'applications' },
  Kustomization: { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', resource: 'kustomizations' },
  HelmRelease: { group: 'helm.toolkit.fluxcd.io', version: 'v2', resource: 'helmreleases' },
};

/** Kinds for which the whole declarer is paused, rather than the one object. */
export const pausedKinds: readonly Omit<ObjectRef, 'name' | 'namespace'>[] = [
  { kind: 'Application', ...places.Application },
  { kind: 'HelmRelease', ...places.HelmRelease },
];

/** https://argo-cd.readthedocs.io/en/stable/user-guide/skip_reconcile/ */
export const skipReconcile = 'argocd.argoproj.io/skip-reconcile';
/** https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources */
export const fluxReconcile = 'kustomize.toolkit.fluxcd.io/reconcile';

/** Values that Argo CD accepts as true, which are Go's. */
const goTrue = /^(?:1|t|T|true|TRUE|True)$/;
/** As a label or an annotation, in any case: https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources */
const fluxLeavesAlone = { [fluxReconcile]: 'disabled', 'kustomize.toolkit.fluxcd.io/ssa': 'ignore' };

const pausePaths = {
  application: ['metadata', 'annotations', skipReconcile],
  helmRelease: ['spec', 'suspend'],
  declared: ['metadata', 'annotations', fluxReconcile],
} as const;

/** Whether a pause sets this field: no other field is restored as a pause, whatever a note says. */
export function isPausePath(path: readonly string[]): boolean {
  return Object.values(pausePaths).some((one) => one.join('\n') === path.join('\n'));
}

/** Additional rights the cell needs to look up declarers and to pause them. */
export function pausingRights(of: keyof Pausing): readonly Right[] {
  const right = (kind: Declarer['kind'], verbs: readonly string[]): Right => ({
    apiGroup: places[kind].group ?? '',
    resource: places[kind].resource,
    verbs,
  });
  return of === 'argocd'
    ? [right('Application', ['get', 'patch'])]
    : [right('Kustomization', ['get']), right('HelmRelease', ['get', 'patch'])];
}

/**
 * Looks up what declares an object, if the configuration allows it. Marks on the object prove nothing, since anyone who may write the object may write them:
 * unless the declarer's own status lists the object, the declarer is neither believed nor paused. Undefined if nothing can be looked up.
 */
export async function findDeclarer(options: {
  readonly api: KubernetesApi;
  readonly pausing: Pausing;
  readonly isProtected: (namespace: string) => boolean;
  /** Our own pause counts as not paused, so that a step plans the same before and after it. */
  readonly isPausedByUs: (paused: { readonly ref: ObjectRef; readonly object: ObjectJson }) => boolean;
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
  readonly signal: AbortSignal;
}): Promise<FoundDeclarer | undefined> {
  const { api, pausing, isProtected, isPausedByUs, ref, object, signal } = options;
  const writer = otherWriter(object.metadata);
  const isPerhaps = writer?.declarer === undefined;
  const marked = writer?.declarer ?? perhapsArgoCd(object.metadata, pausing.argocd?.instanceLabel);
  if (!marked || !(marked.kind === 'Application' ? pausing.argocd : pausing.flux)) return undefined;
  const declarer = { ...marked, namespace: marked.namespace ?? pausing.argocd?.namespace ?? '' };
  const { kind, namespace, name } = declarer;
  const at: ObjectRef = { kind, ...places[kind], namespace, name };
  const named = namedDeclarer(declarer);
  let found: ObjectJson | undefined;
  try {
    found = await readObject({ api, ref: at, signal });
  } catch (error) {
    // Without the declarer's manifest nothing is paused, and containment is not held up. Errors that may pass in a moment are retried.
    if (!(error instanceof KubernetesError) || error.code !== 'FB_ERR_API_REFUSED') throw error;
    if (isPerhaps) return undefined;
    return { says: [`Its marks name the ${named}, which may take this back, and is not paused: ${error.message}.`] };
  }
  const lists = found !== undefined && listsObject(kind, found, ref);
  if (isPerhaps && !lists) return undefined;
  if (!found)
    return { says: [`Its marks name the ${named}, which is not in this cluster: it may take this back, and is not paused.`] };
  if (!lists)
    return {
      says: [`Its marks name the ${named}, which does not say that this is its own: it may take this back, and is not paused.`],
    };
  const isPaused = pausedIn(kind, { ref: at, object: found }, { ref, object }).some((one) => !isPausedByUs(one));
  if (isPaused) return { says: [`The ${named} owns it and is already paused: it puts nothing back now, and is left that way.`] };
  const owns = `The ${named} owns it, and ${whatItDoes(kind, found)}.`;
  const makers = ownersOf(found).filter((owner) => owner.startsWith('ApplicationSet '));
  if (makers.length > 0)
    return { says: [owns, `It is not paused: ${makers.join(', ')} made it, and would remove such a mark again.`] };
  if (kind !== 'Kustomization' && isProtected(namespace))
    return { says: [owns, `It is not paused: the namespace ${namespace} is protected.`] };
  return { says: [owns], place: placeOf(kind, at, ref, named) };
}

function placeOf(kind: Declarer['kind'], at: ObjectRef, ref: ObjectRef, named: string): PausePlace {
  switch (kind) {
    case 'Application':
      return {
        ref: at,
        path: pausePaths.application,
        value: 'true',
        what: 'is not reconciled until this is undone: Argo CD deploys, corrects and reports nothing in the whole application',
      };
    case 'HelmRelease':
      return {
        ref: at,
        path: pausePaths.helmRelease,
        value: true,
        what: 'is suspended until this is undone: Flux upgrades and corrects nothing in the whole release',
      };
    case 'Kustomization':
      return {
        ref,
        path: pausePaths.declared,
        value: 'disabled',
        what: `is left alone by the ${named} until this is undone: it neither changes nor prunes it`,
      };
  }
}

/** Whether the declarer's status claims this object, in this cluster. Pure. */
export function listsObject(kind: Declarer['kind'], declarer: ObjectJson, ref: ObjectRef): boolean {
  const { group = '', namespace = '', name } = ref;
  if (kind === 'Application') {
    const server = inside(declarer, 'spec', 'destination', 'server');
    const cluster = inside(declarer, 'spec', 'destination', 'name');
    if (server !== 'https://kubernetes.default.svc' && cluster !== 'in-cluster') return false;
    return list(inside(declarer, 'status', 'resources')).some(
      (one) => one.kind === ref.kind && (one.group ?? '') === group && (one.namespace ?? '') === namespace && one.name === name,
    );
  }
  // It deploys to another cluster.
  if (inside(declarer, 'spec', 'kubeConfig') !== undefined) return false;
  // https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory; HelmReleases have one since helm-controller 1.5.
  return list(inside(declarer, 'status', 'inventory', 'entries')).some(
    ({ id }) => id === `${namespace}_${name}_${group}_${ref.kind}`,
  );
}

interface Found {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
}

/** The objects on which a pause is marked. */
function pausedIn(kind: Declarer['kind'], declarer: Found, declared: Found): readonly Found[] {
  const isSkipped = goTrue.test(declarer.object.metadata.annotations?.[skipReconcile] ?? '');
  const isSuspended = inside(declarer.object, 'spec', 'suspend') === true;
  const { labels = {}, annotations = {} } = declared.object.metadata;
  const isLeftAlone = [labels, annotations].some((marks) =>
    Object.entries(fluxLeavesAlone).some(([mark, value]) => marks[mark]?.toLowerCase() === value),
  );
  return [
    ...((kind === 'Application' ? isSkipped : isSuspended) ? [declarer] : []),
    ...(kind === 'Kustomization' && isLeftAlone ? [declared] : []),
  ];
}

function whatItDoes(kind: Declarer['kind'], declarer: ObjectJson): string {
  if (kind === 'Kustomization') return 'will put it back';
  if (kind === 'HelmRelease')
    return inside(declarer, 'spec', 'driftDetection', 'mode') === 'enabled'
      ? 'will put it back'
      : 'puts it back at its next upgrade';
  const automated = inside(declarer, 'spec', 'syncPolicy', 'automated');
  if (!isObject(automated) || automated.enabled === false) return 'puts it back when somebody syncs it';
  return automated.selfHeal === true ? 'will put it back' : 'will put it back at its next sync';
}

function ownersOf({ metadata: { ownerReferences = [] } }: ObjectJson): readonly string[] {
  return ownerReferences.map(({ kind, name }) => `${kind} ${name}`);
}

function inside(object: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, part) => (isObject(inner) ? inner[part] : undefined), object);
}

function list(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
