import type { StepContext } from '../../../core/action/action.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import {
  createObject,
  deleteObject,
  type ObjectJson,
  type ObjectRef,
  readKnownObject,
  readObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';

interface Place {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Name of the ServiceAccount. */
  readonly name: string;
  readonly context: StepContext;
}

export function accountRef(namespace: string, name: string): ObjectRef {
  return { kind: 'ServiceAccount', resource: 'serviceaccounts', namespace, name };
}

/** Where an account's settings are kept while it does not exist: the name must not depend on the account, which may be gone. */
export function keeperRef({ namespace, name, context }: Omit<Place, 'api'>): ObjectRef {
  const hash = stepHash(`${context.incident}/${context.run}/${namespace}/${name}`);
  return accountRef(namespace, `firebreak-kept-${hash}`);
}

/**
 * Deletes a ServiceAccount and recreates it with all its own settings: it gets a new uid, for which no earlier token is valid. In between, its settings are
 * kept on another account without any rights, so that an interrupted step can be finished. Resolves to the new uid.
 * @throws FB_ERR_NOT_FOUND if neither the account nor its kept settings exist; FB_ERR_REFUSED if somebody else keeps something there.
 */
export async function makeAccountAnew(place: Place): Promise<string> {
  const { api, namespace, name, context } = place;
  const { key, signal } = context;
  const ref = accountRef(namespace, name);
  const keeper = keeperRef(place);
  const found = await readObject({ api, ref, signal });
  if (found?.metadata.annotations?.[names.stepAnnotation] !== key) {
    if (found) {
      await keep(place, found);
      await deleteObject({ api, ref, seen: found, signal });
    }
    await createFromKeeper(place);
  }
  const kept = await readObject({ api, ref: keeper, signal });
  if (kept) await deleteObject({ api, ref: keeper, seen: requireOurs(kept, place), signal });
  return (await readKnownObject({ api, ref, signal })).metadata.uid;
}

/** Limits for what is kept in an annotation, as JSON: an object has 256 KiB for all of them. */
const mostBytes = { labels: 48 * 1024, annotations: 144 * 1024 };

/** What of an account is restored, and how much is not: anyone who can write it could add more than can be kept. The longest entries are left out. */
export function restorableOf({ labels = {}, annotations = {} }: Pick<ObjectJson['metadata'], 'labels' | 'annotations'>) {
  const kept = { labels: fitting(labels, mostBytes.labels), annotations: fitting(annotations, mostBytes.annotations) };
  const count = (texts: Texts): number => Object.keys(texts).length;
  return { ...kept, lost: count(labels) + count(annotations) - count(kept.labels) - count(kept.annotations) };
}

type Texts = Readonly<Record<string, string>>;

function fitting(texts: Texts, most: number): Texts {
  const sized = Object.entries(texts).map((entry) => ({ entry, bytes: Buffer.byteLength(JSON.stringify(entry)) }));
  let room = most;
  const left = new Set<string>();
  for (const { entry, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    room -= bytes;
    if (room < 0) left.add(entry[0]);
  }
  return Object.fromEntries(Object.entries(texts).filter(([name]) => !left.has(name)));
}

async function keep(place: Place, { metadata, ...fields }: ObjectJson): Promise<void> {
  const { api, context } = place;
  const { signal, key, incident } = context;
  const ref = keeperRef(place);
  const { labels, annotations } = restorableOf(metadata);
  const { imagePullSecrets, automountServiceAccountToken } = fields;
  const made = await createObject({
    api,
    ref,
    metadata: {
      annotations: {
        [names.keptAccountAnnotation]: JSON.stringify({
          labels,
          annotations,
          ...(automountServiceAccountToken !== undefined && { automountServiceAccountToken }),
        }),
        [names.stepAnnotation]: key,
        [names.incidentAnnotation]: incident,
      },
    },
    content: { automountServiceAccountToken: false, ...(imagePullSecrets !== undefined && { imagePullSecrets }) },
    signal,
  });
  if (!made) requireOurs(await readKnownObject({ api, ref, signal }), place);
}

async function createFromKeeper(place: Place): Promise<void> {
  const { api, namespace, name, context } = place;
  const { key, incident, signal } = context;
  const kept = await readObject({ api, ref: keeperRef(place), signal });
  if (!kept) throw new FirebreakError('FB_ERR_NOT_FOUND', `serviceaccount/${namespace}/${name} does not exist`);
  const { imagePullSecrets } = requireOurs(kept, place);
  const { labels, annotations, ...settings } = keptSettings(kept, place);
  const content = { ...settings, ...(imagePullSecrets !== undefined && { imagePullSecrets }) };
  const metadata = {
    labels,
    annotations: { ...annotations, [names.stepAnnotation]: key, [names.incidentAnnotation]: incident },
  };
  // `default` is recreated by its controller, which may be quicker: that one is new too.
  await createObject({ api, ref: accountRef(namespace, name), metadata, content, signal });
}

interface Settings {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

function keptSettings({ metadata }: ObjectJson, place: Place): Settings {
  try {
    const value: Settings = JSON.parse(metadata.annotations?.[names.keptAccountAnnotation] ?? '');
    return value;
  } catch {
    throw new FirebreakError(
      'FB_ERR_DRIFTED',
      `${targetOf(keeperRef(place))} no longer contains what was kept: somebody edited it`,
    );
  }
}

function requireOurs(kept: ObjectJson, place: Place): ObjectJson {
  if (kept.metadata.annotations?.[names.stepAnnotation] === place.context.key) return kept;
  throw new FirebreakError('FB_ERR_REFUSED', `${targetOf(keeperRef(place))} already exists, created by somebody else`);
}
