import { blockEgress, quarantinePod, quarantineWorkload, revokeServiceAccount } from '../../core/actions/index.ts';
import {
  afterText,
  type EffectLook,
  effectText,
  lookedAtScopes,
  type PendingEffect,
  unknownText,
  withConnections,
} from '../../core/incident/effect.ts';
import { isOver as hasEnded, type Lease } from '../../core/incident/lease.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { lastPart } from '../../core/text/object-name.ts';
import { lookActivities, stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, nowMs, sleep } from '../world.ts';
import { countAtPods } from './count-connections.ts';
import type { StepOrder } from './step-calls.ts';
import { quarantinedPods } from './step-data.ts';

/** Checks due at about the same time are reported in one line of the thread. */
const gatherMs = 5_000;
const mostTold = 3;

/** For these the cell knows what is contained, and therefore whose alerts to count. */
const lookedAt: ReadonlySet<string> = new Set([quarantinePod.name, quarantineWorkload.name, ...Object.keys(lookedAtScopes)]);

interface Parts {
  /** Runs a step as a playbook would. */
  readonly run: (order: StepOrder) => Promise<StepResult>;
  readonly tell: (text: string) => void;
  readonly changed: () => void;
}

/**
 * Some time after a containment the cell checks whether it helped, and reports that on record and in the thread. Nothing is decided by it. The incident does
 * the waiting, so a restart of any process changes nothing; what is released before is no longer checked, and that is reported.
 */
export class EffectChecks {
  readonly #model: IncidentModel;
  readonly #parts: Parts;

  #untold: string[] = [];

  constructor(model: IncidentModel, parts: Parts) {
    this.#model = model;
    this.#parts = parts;
  }

  /** Called when a step with a lease has been applied. */
  begin({ id: lease, action, stepKey: step }: Lease): void {
    const due = this.#model.settings.effectChecksMs ?? [];
    if (due.length === 0 || !lookedAt.has(action) || this.#model.effects.has(step)) return;
    this.#go({ step, lease, from: nowMs(), due });
  }

  /** Resumes the checks that the previous run had pending. */
  run(): void {
    for (const pending of this.#model.effects.values()) this.#go(pending);
  }

  #go(pending: PendingEffect): void {
    this.#model.effects.set(pending.step, pending);
    void this.#follow(pending);
  }

  async #follow(pending: PendingEffect): Promise<void> {
    const { step, lease, from } = pending;
    const isOver = (): boolean => {
      const state = this.#model.leases.get(lease)?.state;
      return state === undefined || hasEnded(state);
    };
    for (let { due } = pending; due.length > 0; due = due.slice(1)) {
      const [afterMs = 0] = due;
      this.#model.effects.set(step, { ...pending, due });
      if (await condition(isOver, Math.max(1, from + afterMs - nowMs()))) {
        this.#overBefore(step, afterMs);
        break;
      }
      await this.#model.during(this.#look(pending, afterMs));
    }
    this.#model.effects.delete(step);
  }

  async #look({ step: key, lease }: PendingEffect, afterMs: number): Promise<void> {
    const tell = (text: string): void => {
      const step = this.#model.steps.get(key);
      if (step) this.#tell(key, `${afterText(afterMs)} after ${doneTo(step)}: ${text}`);
    };
    let look: EffectLook;
    try {
      look = await this.#found(key, lease);
    } catch (error) {
      const text = `could not be checked: ${stepFailure(error).message}`;
      this.#record(key, afterMs, text, {});
      tell(text);
      return;
    }
    const text = effectText(look);
    this.#record(key, afterMs, [text, unknownText(look)].filter((one) => one !== '').join(' '), { effect: look });
    // Read again: the check took time, and the step may have been released meanwhile.
    const step = this.#model.steps.get(key);
    if (!step) return;
    this.#model.steps.set(key, { ...step, effect: { afterMs, look } });
    tell(text);
    this.#parts.changed();
  }

  /** What the cell sees, and, if enabled, what the forensics pool counts on the nodes of its pods. */
  async #found(step: string, lease: string): Promise<EffectLook> {
    const { ref, settings, priority, holdings } = this.#model;
    const held = settings.countsConnections ? holdings.get(lease) : undefined;
    const pods = held ? quarantinedPods(held.call.action, held.call.input, held.output) : [];
    const asked = { incident: ref, step, ...(pods.length > 0 && { countsConnections: true as const }) };
    const look = await lookActivities(settings, priority).lookAtEffect(asked);
    if (!held || pods.length === 0 || look.pods?.there === 0) return look;
    const counts = await countAtPods({ call: held.call, pods, run: this.#parts.run });
    return withConnections(look, counts, look.pods?.there ?? pods.length);
  }

  #tell(step: string, line: string): void {
    this.#untold.push(line);
    if (this.#untold.length === 1) void this.#model.during(this.#tellAll(step));
  }

  /** Whether others are being checked, or will be in a moment. */
  #comesWithOthers(step: string): boolean {
    const soon = nowMs() + gatherMs;
    return [...this.#model.effects.values()].some(
      (other) => other.step !== step && other.from + (other.due[0] ?? Number.POSITIVE_INFINITY) <= soon,
    );
  }

  async #tellAll(step: string): Promise<void> {
    if (this.#comesWithOthers(step)) await sleep(gatherMs);
    const lines = this.#untold;
    this.#untold = [];
    const more = lines.length - mostTold;
    this.#parts.tell([...lines.slice(0, mostTold), ...(more > 0 ? [`${more} more are on record.`] : [])].join('\n'));
  }

  /** People have just decided on it: that is recorded, and no news for the thread. */
  #overBefore(key: string, afterMs: number): void {
    this.#record(key, afterMs, `not checked: it had already ended (${this.#model.steps.get(key)?.detail ?? 'released'})`, {});
  }

  #record(key: string, afterMs: number, text: string, found: { readonly effect?: EffectLook }): void {
    const { action = '', target = '' } = this.#model.steps.get(key) ?? {};
    this.#model.record('effect.checked', 'engine', `${afterText(afterMs)} after ${action} on ${target}: ${text}`, {
      step: key,
      action,
      target,
      afterMs,
      ...found,
    });
  }
}

function doneTo({ action, target }: { readonly action: string; readonly target: string }): string {
  const name = lastPart(target);
  if (action === revokeServiceAccount.name) return `the rights of ${name} were revoked`;
  if (action === blockEgress.name) return `the egress of ${name} was blocked`;
  return `${name} was ${declarationOf(action).words?.held ?? 'contained'}`;
}
