import { setTimeout as sleep } from 'node:timers/promises';
import type { Credential, RotationProvider } from '../../core/action/rotation.ts';
import { FirebreakError } from '../../core/errors.ts';
import { AwsError } from './answers.ts';
import type { AccessKeyLogin, Aws, ListedKey } from './client.ts';

interface AwsAccessKeyOptions {
  readonly aws: Aws;
  /** The IAM user who owns the access key; nobody else may create keys for it while a rotation runs. */
  readonly user: string;
  readonly keys: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    /** Keys that hold a whole credentials file, containing both values. */
    readonly files: readonly string[];
  };
  /** How long IAM may take to propagate a change (60 s), how often to check (1 s), and how many checks in a row must succeed. */
  readonly settle?: { readonly withinMs: number; readonly everyMs: number; readonly times: number };
}

interface Seen {
  readonly all: readonly ListedKey[];
  readonly mark: Mark | undefined;
}

/** This quota cannot be raised: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const keysPerUser = 2;

/**
 * Access keys of an IAM user. IAM allows two per user, returns a key's secret only once, and keys cannot be named: a key created by an attempt that died before
 * it was kept is identified by a tag of the user, deleted, and created again.
 */
export function awsAccessKey({ aws, user, keys, settle }: AwsAccessKeyOptions): RotationProvider {
  const { withinMs, everyMs, times } = settle ?? { withinMs: 60_000, everyMs: 1_000, times: 3 };
  const title = `AWS, access keys of ${user}`;
  const loginOf = ({ values }: Credential): AccessKeyLogin => ({
    accessKeyId: values[keys.accessKeyId] ?? '',
    secretAccessKey: values[keys.secretAccessKey] ?? '',
  });
  const idOf = (credential: Credential): string => loginOf(credential).accessKeyId;
  const readMark = async (signal: AbortSignal) => markOf(await aws.tagOf(user, markTag, signal));
  const seen = async (signal: AbortSignal): Promise<Seen> => {
    const [all, mark] = await Promise.all([aws.keysOf(user, signal), readMark(signal)]);
    return { all, mark };
  };

  /** Waits until the check has succeeded several times in a row: IAM changes do not take effect everywhere at once. */
  const settled = async (what: string, isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> => {
    const end = Date.now() + withinMs;
    for (let row = 0; ; ) {
      row = (await isSo()) ? row + 1 : 0;
      if (row >= times) return;
      if (row === 0 && Date.now() > end) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${title}: ${what}`);
      await sleep(everyMs, undefined, { signal });
    }
  };

  const setMark = async (mark: Mark, signal: AbortSignal): Promise<void> => {
    const text = markText(mark);
    await aws.tag(user, markTag, text, signal);
    await settled('the user’s tag is not visible yet', async () => (await aws.tagOf(user, markTag, signal)) === text, signal);
  };

  const accepts = async (credential: Credential, signal: AbortSignal): Promise<boolean> => {
    const arn = await aws.whoIs(loginOf(credential), signal);
    return arn !== undefined && /:user\/(?:.*\/)?([^/]+)$/.exec(arn)?.[1] === user;
  };
  const refused = async (credential: Credential, signal: AbortSignal): Promise<boolean> =>
    (await aws.whoIs(loginOf(credential), signal)) === undefined;

  /** Ends the credential's key as listed; steps that are done already are not repeated. */
  const end = async (credential: Credential, { all }: Seen, signal: AbortSignal): Promise<void> => {
    const id = idOf(credential);
    const listed = all.find((key) => key.id === id);
    if (listed?.isActive) await aws.disableKey(user, id, signal);
    if (listed) await aws.deleteKey(user, id, signal);
    await settled(`${id} was deleted, but AWS still accepts it`, () => refused(credential, signal), signal);
  };

  /** Created by an attempt of this step and kept nowhere, so nobody can have used them. */
  const deleteUnusedKeys = async (found: readonly ListedKey[], signal: AbortSignal): Promise<void> => {
    for (const { id } of found) {
      if (await aws.wasUsed(id, signal))
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `${title}: ${id} was created while this rotation ran, and is in use: somebody else created it`,
        );
      await aws.deleteKey(user, id, signal);
    }
  };

  /** Ended by a rotation that did not get as far as deleting it. */
  const isLeftOver = ({ id, isActive }: ListedKey, mark: Mark | undefined): boolean => !isActive && mark?.from === id;

  /** Why there is no room for another key, or the old one is not this user's. */
  const whyNot = (
    { all, mark }: Seen,
    { id, step, revokeFirst }: { readonly id: string; readonly step: string; readonly revokeFirst: boolean },
  ): string | undefined => {
    const isOwn = mark?.state === 'making' && mark.step === step;
    if (mark?.state === 'making' && !isOwn)
      return `another rotation of the user ${user} has started, from ${mark.from}: if none is running, delete the key that it left behind and the user’s tag ${markTag}`;
    const isKnown = isOwn || (mark?.state === 'ended' && mark.from === id) || all.some((key) => key.id === id);
    if (!isKnown) return `${id} is not an access key of the user ${user}`;
    const goes = (key: ListedKey): boolean =>
      isLeftOver(key, mark) || (revokeFirst && key.id === id) || (isOwn && !mark.had.includes(key.id));
    const stay = all.filter((key) => !goes(key));
    const other = stay.find((key) => key.id !== id);
    if (!other || stay.length < keysPerUser) return undefined;
    return `the user ${user} has two access keys, and AWS does not allow a third: delete ${other.id}${other.isActive ? ', which is active,' : ''} if nobody needs it`;
  };

  /** Marks that a key is about to be created; what an earlier attempt of the same step created is deleted first. */
  const makeRoom = async (
    { all, mark }: Seen,
    { id, step }: { readonly id: string; readonly step: string },
    signal: AbortSignal,
  ) => {
    if (mark?.state === 'making')
      return deleteUnusedKeys(
        all.filter((key) => !mark.had.includes(key.id)),
        signal,
      );
    const leftOver = all.length < keysPerUser ? [] : all.filter((key) => key.id !== id && isLeftOver(key, mark));
    // Done while the old mark still says whose they were.
    for (const key of leftOver) await aws.deleteKey(user, key.id, signal);
    const had = all.filter((key) => !leftOver.includes(key)).map((key) => key.id);
    await setMark({ state: 'making', step, from: id, had }, signal);
  };

  return {
    title,
    keys: [keys.accessKeyId, keys.secretAccessKey, ...keys.files],
    overlaps: true,
    endsFirst: true,

    whyNot(old) {
      const missing = [keys.accessKeyId, keys.secretAccessKey].find((key) => !old.values[key]);
      if (missing !== undefined) return `it has no key ${missing}`;
      if (!/^\w{16,128}$/.test(idOf(old))) return `${keys.accessKeyId} does not hold an access key id`;
      if (idOf(old) === aws.ownKey) return 'it is the key that Firebreak itself uses for AWS';
      return idOf(old).startsWith('ASIA') ? 'it holds temporary credentials, which expire on their own' : undefined;
    },

    whyNotNow: async (old, { step, revokeFirst, signal }) => whyNot(await seen(signal), { id: idOf(old), step, revokeFirst }),

    async fresh(old, signal, step) {
      const state = await seen(signal);
      const of = { id: idOf(old), step };
      const reason = whyNot(state, { ...of, revokeFirst: false });
      if (reason !== undefined) throw new FirebreakError('FB_ERR_REFUSED', `${title}: ${reason}`);
      await makeRoom(state, of, signal);
      const { accessKeyId, secretAccessKey } = await made(aws, title, user, signal);
      const was = loginOf(old);
      const files = keys.files.flatMap((key) => {
        const file = old.values[key]?.replaceAll(was.accessKeyId, () => accessKeyId);
        const text = file?.replaceAll(was.secretAccessKey, () => secretAccessKey);
        return text === undefined ? [] : [[key, text] as const];
      });
      return {
        values: { ...Object.fromEntries(files), [keys.accessKeyId]: accessKeyId, [keys.secretAccessKey]: secretAccessKey },
      };
    },

    async activate({ old, next }, signal) {
      const { all, mark } = await seen(signal);
      const id = idOf(next);
      if (mark?.state === 'making' && mark.from === idOf(old) && !mark.had.includes(id)) {
        await deleteUnusedKeys(
          all.filter((key) => key.id !== id && !mark.had.includes(key.id)),
          signal,
        );
        await setMark({ state: 'made', from: idOf(old), made: id }, signal);
      }
      await settled(`AWS does not accept the new key ${id} yet`, () => accepts(next, signal), signal);
    },

    accepts,

    async revoke({ old, next }, signal) {
      if (next && idOf(next) === idOf(old)) return;
      const state = await seen(signal);
      if (next && !state.all.some(({ id, isActive }) => isActive && id === idOf(next)))
        throw new FirebreakError('FB_ERR_DRIFTED', `${title}: the new key ${idOf(next)} is not active: no key was revoked`);
      const { mark } = state;
      // The mark already says what a key is being created for, or was ended for.
      const isSaid = mark?.state === 'making' || (mark?.state === 'ended' && mark.from === idOf(old));
      if (!next && !isSaid) await setMark({ state: 'ended', from: idOf(old) }, signal);
      await end(old, state, signal);
    },

    async ended({ old }, signal) {
      const { all } = await seen(signal);
      return !all.some(({ id, isActive }) => isActive && id === idOf(old)) && (await refused(old, signal));
    },
  };
}

/** A third key is refused if IAM did not show yet that there are two: checking again shows whose the other one is. */
async function made(aws: Aws, title: string, user: string, signal: AbortSignal): Promise<AccessKeyLogin> {
  try {
    return await aws.createKey(user, signal);
  } catch (error) {
    if (!(error instanceof AwsError) || error.awsCode !== 'LimitExceeded') throw error;
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `${title}: AWS now has two keys; checking again`);
  }
}

/** The tag of the IAM user in which a rotation stores its progress. Keys have no names or tags of their own. */
const markTag = 'firebreak-rotation';

/** Content of the tag. Not secret: ids of keys, and the step. */
type Mark =
  /** The step is about to create a key: any key not among `had` is its own, created in an attempt that died before the key was kept. */
  | { readonly state: 'making'; readonly step: string; readonly from: string; readonly had: readonly string[] }
  /** `made` is kept and has replaced `from`. */
  | { readonly state: 'made'; readonly from: string; readonly made: string }
  /** `from` was ended before a new key exists. */
  | { readonly state: 'ended'; readonly from: string };

/** Uses only characters allowed in a tag's value: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html */
function markText(mark: Mark): string {
  if (mark.state === 'making') return `making step=${mark.step} from=${mark.from} had=${mark.had.join('+')}`;
  return mark.state === 'made' ? `made from=${mark.from} made=${mark.made}` : `ended from=${mark.from}`;
}

/** Undefined if it is not a mark: somebody else wrote it, and it is ignored. */
function markOf(text: string | undefined): Mark | undefined {
  const [state, ...parts] = (text ?? '').split(' ');
  const has = new Map(parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
  const [step, from, had, made] = ['step', 'from', 'had', 'made'].map((name) => has.get(name));
  if (!from) return undefined;
  if (state === 'making' && step) return { state, step, from, had: had ? had.split('+') : [] };
  if (state === 'made' && made) return { state, from, made };
  return state === 'ended' ? { state, from } : undefined;
}
