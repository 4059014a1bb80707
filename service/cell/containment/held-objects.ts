import { notedDifference } from '../../../activities/actions/noted-object.ts';
import { accountsRevokedBy, bindingsNaming } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { Memory, type MemoryKeeper } from '../../../activities/memory/memory.ts';
import { type ActionDeclaration, heldKinds } from '../../../core/action/action.ts';
import type { TargetName } from '../../../core/action/plan.ts';
import { revokeServiceAccount } from '../../../core/actions/index.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../../core/cluster/object-note.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { type ObjectJson, type ObjectRef, readObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { type ObjectListener, ObjectWatch, type SeenObject } from '../../../integrations/kubernetes/watch/object-watch.ts';
import type { WatchLog } from '../../../integrations/kubernetes/watch/reflector.ts';

/** An object other than a pod that an action holds, according to the cell's own note on it. */
export interface HeldObject {
  readonly ref: ObjectRef;
  readonly uid: string;
  readonly action: string;
  /** The sealed note as the cell wrote it: editing the one on the object does not change this copy. */
  readonly note: string;
  /** The problems when people were last told. */
  readonly told: readonly string[];
}

interface HeldObjectsParts {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
  /** The cell's actions that the configuration enables. */
  readonly actions: readonly ActionDeclaration[];
  readonly keeper?: MemoryKeeper<HeldObject>;
  readonly log?: WatchLog;
}

const withinMs = 5_000;
/** Longer than any plausible lease; an object still held is seen again at each start. */
const retentionMs = 90 * 86_400_000;

/**
 * Remembers which objects actions hold and what their notes say, even if somebody removed a note, and reports what is no longer as it was left. Changing an
 * object decides nothing: people are asked about it.
 */
export class HeldObjects implements ObjectListener {
  readonly #parts: HeldObjectsParts;
  readonly #watch: ObjectWatch;
  readonly #known: Memory<HeldObject>;
  /** Contents of each note: opened once, although it is needed every few seconds. */
  readonly #notes = new WeakMap<HeldObject, ObjectNote>();
  #changed: (key: string) => void = () => {};

  constructor(parts: HeldObjectsParts) {
    const { api, actions, keeper, log } = parts;
    this.#parts = parts;
    this.#known = new Memory({ most: 10_000, retentionMs, keeper });
    this.#watch = new ObjectWatch({ api, kinds: heldKinds(actions), listener: this, ...(log && { log }) });
  }

  /** Calls `changed` with the key of each object that may no longer be as it was left. */
  start(changed: (key: string) => void): void {
    this.#changed = changed;
    this.#watch.start();
  }

  async stop(): Promise<void> {
    await this.#watch.stop();
  }

  seen({ ref, metadata }: SeenObject): void {
    for (const { name: action, holds = [] } of this.#parts.actions) {
      if (!holds.some(({ kind }) => kind === ref.kind)) continue;
      const key = keyOf(action, ref);
      const text = metadata.annotations?.[noteAnnotation(action)];
      const known = this.#known.get(key);
      if (text !== undefined && text !== known?.note) {
        const held: HeldObject = { ref, uid: metadata.uid, action, note: text, told: [] };
        const [found, before] = [this.#noteOf(held), known && this.#noteOf(known)];
        // An older note that somebody kept and put back must not replace a newer one.
        if (found && (!before || found.terms.at > before.terms.at)) this.#known.set(key, held);
      }
      const now = this.#known.get(key);
      if (now) this.#changed(key);
      // Any other binding, even under a known name, may again name an account that was removed from bindings.
      if (action === revokeServiceAccount.name && now?.uid !== metadata.uid)
        for (const one of this.#speakers()) this.#changed(one);
    }
  }

  listed(kind: string): void {
    for (const [key, { ref }] of this.#known.entries()) if (ref.kind === kind) this.#changed(key);
  }

  /** Keys of the objects that this incident holds. */
  of(incident: string): readonly string[] {
    return [...this.#known.entries()].flatMap(([key, held]) => (this.#noteOf(held)?.incident === incident ? [key] : []));
  }

  /** Returns the object and its note if it is still known. */
  get(key: string): (HeldObject & { readonly says: ObjectNote }) | undefined {
    const held = this.#known.get(key);
    const says = held && this.#noteOf(held);
    return held && says && { ...held, says };
  }

  /** All known objects with their notes. */
  *all(): Generator<HeldObject & { readonly says: ObjectNote }> {
    for (const [, held] of this.#known.entries()) {
      const says = this.#noteOf(held);
      if (says) yield { ...held, says };
    }
  }

  /** Keys of the objects that this action holds in a namespace. */
  in(namespace: string, action: string): readonly string[] {
    return [...this.#known.entries()].flatMap(([key, { ref, action: by }]) =>
      by === action && ref.namespace === namespace ? [key] : [],
    );
  }

  /** Checks what is there and what is not in order. @throws KubernetesError if the API server does not answer. */
  async look(key: string): Promise<{
    readonly state: 'there' | 'not held' | 'gone';
    readonly difference: readonly string[];
    readonly object?: ObjectJson;
  }> {
    const held = this.get(key);
    if (!held) return { state: 'gone', difference: [] };
    const { ref, uid, note, action, says } = held;
    const object = await readObject({ api: this.#parts.api, ref, signal: AbortSignal.timeout(withinMs) });
    const regained = await this.#regained(key, says);
    if (!object || object.metadata.uid !== uid) return { state: 'gone', difference: ['it is gone', ...regained] };
    const annotation = noteAnnotation(action);
    const found = object.metadata.annotations?.[annotation];
    const difference = [...notedDifference(says, object), ...regained];
    if (found === undefined)
      return { state: 'not held', difference: [`annotation ${annotation} was removed`, ...difference], object };
    const isNoted = found === note;
    return { state: 'there', difference: isNoted ? difference : [`annotation ${annotation} was changed`, ...difference], object };
  }

  /** Whether the hold covers more than the object, so that it does not end when the object is gone. */
  outlivesObject(key: string): boolean {
    return this.#known.get(key)?.action === revokeServiceAccount.name;
  }

  /** For each step that removed an account from bindings, the one binding used to tell people about new ones. */
  #speakers(): readonly string[] {
    const byStep = new Map<string, string>();
    for (const [key, held] of this.#known.entries()) {
      const step = held.action === revokeServiceAccount.name ? this.#noteOf(held)?.step : undefined;
      if (step !== undefined && !((byStep.get(step) ?? key) < key)) byStep.set(step, key);
    }
    return [...byStep.values()];
  }

  /** Which other bindings give the account its rights back. */
  async #regained(key: string, says: ObjectNote): Promise<readonly string[]> {
    if (!this.#speakers().includes(key)) return [];
    const accounts = accountsRevokedBy(says);
    const signal = AbortSignal.timeout(withinMs);
    const naming = await bindingsNaming({ api: this.#parts.api, accounts, left: says.left ?? [], signal });
    // Bindings that the step is still removing the account from give no rights back; one recreated under a known name is a different binding.
    const isAnother = (target: TargetName, uid: string): boolean => {
      const known = this.#known.get(`${revokeServiceAccount.name} ${target}`);
      return known ? known.uid !== uid : !says.together?.includes(target);
    };
    return naming
      .filter(({ target, uid }) => isAnother(target, uid))
      .map(({ target, account }) => `${target} grants rights to ${account.namespace}/${account.name} again`);
  }

  told(key: string, told: readonly string[]): void {
    const held = this.#known.get(key);
    if (held) this.#known.set(key, { ...held, told });
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  #noteOf(held: HeldObject): ObjectNote | undefined {
    const known = this.#notes.get(held);
    if (known) return known;
    const { ref, uid, action, note: text } = held;
    const opened = openNote({ text, action, object: targetOf(ref), uid, key: this.#parts.cellKey });
    if (opened.kind !== 'read' || opened.authentic !== 'yes') return undefined;
    this.#notes.set(held, opened.note);
    return opened.note;
  }
}

function keyOf(action: string, ref: ObjectRef): string {
  return `${action} ${targetOf(ref)}`;
}
