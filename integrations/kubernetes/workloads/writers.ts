import { namespacePattern } from '../../../core/cluster/namespace-name.ts';

/** The declarer of an object, which reverts changes to it, by its name in the cluster. */
export interface Declarer {
  readonly kind: 'Application' | 'Kustomization' | 'HelmRelease';
  /** Absent if the object does not say it: then it is Argo CD's own namespace. */
  readonly namespace?: string;
  readonly name: string;
}

/** Another writer of an object, which would undo or ignore a change by us. */
interface OtherWriter {
  /** `Argo CD` */
  readonly tool: string;
  /** With its name, if the object says it: `Argo CD application argocd/cart`. */
  readonly named: string;
  readonly declarer?: Declarer;
}

/** RFC 1123 subdomain. */
const objectNamePattern = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const isObjectName = (text: string): boolean => objectNamePattern.test(text);
const isNamespaceName = (text: string): boolean => namespacePattern.test(text);

interface Marked {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Another writer of this object, by its labels and annotations; undefined if none is known. Anyone who may write the object may write these, too: they are
 * shown and warned about, and nothing is done to what they name until that says the same (see `gitops/declarers.ts`).
 */
export function otherWriter(metadata: Marked | undefined): OtherWriter | undefined {
  const { labels = {}, annotations = {} } = metadata ?? {};
  const marks = { ...labels, ...annotations };
  const has = (...prefixes: readonly string[]): boolean =>
    Object.keys(marks).some((key) => prefixes.some((prefix) => key.startsWith(prefix)));
  const by = (tool: string): OtherWriter => ({ tool, named: tool });
  // Tools that render a chart leave Helm's marks as well, so they are checked first. A mark that names nobody (a sync wave, which charts have) gives way to one that does.
  const marked = [
    has('argocd.argoproj.io/') && argoCd(metadata),
    has('kustomize.toolkit.fluxcd.io/') && flux('Kustomization', labels),
    has('helm.toolkit.fluxcd.io/') && flux('HelmRelease', labels),
  ].filter((one) => one !== false);
  const writer = marked.find(({ declarer }) => declarer) ?? marked[0];
  if (writer) return writer;
  if (has('meta.helm.sh/') || marks['app.kubernetes.io/managed-by'] === 'Helm' || marks.heritage === 'Helm')
    return helm(annotations);
  if (has('reconcile.external-secrets.io/')) return by('External Secrets');
  if (has('cert-manager.io/')) return by('cert-manager');
  if (has('sealedsecrets.bitnami.com/')) return by('Sealed Secrets');
  if (has('vaultproject.io/', 'secrets.hashicorp.com/')) return by('Vault');
  return undefined;
}

/** The application named by a label that charts also set: only the application itself can confirm it. */
export function perhapsArgoCd({ labels = {} }: Marked, instanceLabel = 'app.kubernetes.io/instance'): Declarer | undefined {
  return applicationOf(labels[instanceLabel] ?? '');
}

/** An application outside Argo CD's namespace has its own namespace before its name. Neither contains an underscore. */
function applicationOf(instance: string): Declarer | undefined {
  const [first = '', second] = instance.split('_');
  const name = second ?? first;
  if (!isObjectName(name)) return undefined;
  if (second === undefined) return { kind: 'Application', name };
  return isNamespaceName(first) ? { kind: 'Application', namespace: first, name } : undefined;
}

/** https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/: `APP:GROUP/KIND:NAMESPACE/NAME`; one that names another object is ignored. */
function argoCd({ name = '', namespace = '', labels = {}, annotations = {} }: Marked = {}): OtherWriter {
  const tool = 'Argo CD';
  const [tracked = '', , object] = (annotations['argocd.argoproj.io/tracking-id'] ?? '').split(':');
  const declarer = applicationOf(object === `${namespace}/${name}` ? tracked : (labels['argocd.argoproj.io/instance'] ?? ''));
  return declarer ? { tool, named: namedDeclarer(declarer), declarer } : { tool, named: tool };
}

/** https://fluxcd.io/flux/components/kustomize/kustomizations/, and the same for HelmReleases. */
function flux(kind: 'Kustomization' | 'HelmRelease', labels: Readonly<Record<string, string>>): OtherWriter {
  const tool = 'Flux';
  const group = kind === 'Kustomization' ? 'kustomize' : 'helm';
  const [name = '', namespace = ''] = ['name', 'namespace'].map((part) => labels[`${group}.toolkit.fluxcd.io/${part}`]);
  if (!isObjectName(name) || !isNamespaceName(namespace)) return { tool, named: tool };
  const declarer: Declarer = { kind, namespace, name };
  return { tool, named: namedDeclarer(declarer), declarer };
}

function helm(annotations: Readonly<Record<string, string>>): OtherWriter {
  const [name = '', namespace = ''] = ['name', 'namespace'].map((part) => annotations[`meta.helm.sh/release-${part}`]);
  const isNamed = isObjectName(name) && isNamespaceName(namespace);
  return { tool: 'Helm', named: isNamed ? `Helm release ${namespace}/${name}` : 'Helm' };
}

const words: Readonly<Record<Declarer['kind'], string>> = {
  Application: 'Argo CD application',
  Kustomization: 'Flux kustomization',
  HelmRelease: 'Flux Helm release',
};

/** `Argo CD application argocd/cart` */
export function namedDeclarer({ kind, namespace, name }: Declarer): string {
  return `${words[kind]} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
