import type { Alert } from '../core/alert.ts';
import { answering, subjectKeyOf } from '../core/playbook.ts';
import { atLeast, severities } from '../core/severity.ts';
import { type ListedPlaybook, playbooks } from '../playbooks/index.ts';
import { stepFailure } from './calls.ts';
import { type ContextParts, contextFor } from './context.ts';
import type { Body, IncidentModel } from './model.ts';

/** Runs the bodies of playbooks: once per playbook and subject, a bounded number at a time, the worst first. */
export class Bodies {
  readonly #model: IncidentModel;
  readonly #parts: ContextParts;
  readonly #enabled: readonly ListedPlaybook[];

  constructor(parts: ContextParts) {
    this.#model = parts.model;
    this.#parts = parts;
    this.#enabled = playbooks.filter((playbook) => parts.model.settings.playbooks.includes(playbook.id));
  }

  /** Evaluates every enabled playbook for an alert that the incident had not seen. */
  evaluate(alert: Alert): void {
    for (const playbook of answering(this.#enabled, alert)) {
      const key = bodyKey(playbook.id, subjectKeyOf(playbook, alert));
      const known = this.#model.bodies.get(key);
      if (known) this.#again(known, alert);
      else if (!this.#ended(key)) this.#add(key, playbook, alert);
    }
    this.#startNext();
  }

  /** One more alert of the same. While the body waits for its turn, it waits as the worst of them. */
  #again(body: Body, alert: Alert): void {
    body.state = { ...body.state, alerts: body.state.alerts + 1 };
    if (body.state.state !== 'waiting' || atLeast(body.severity, alert.severity)) return;
    body.severity = alert.severity;
    body.alert = alert;
  }

  #ended(key: string): boolean {
    return this.#model.endedBodies.some((body) => bodyKey(body.playbook, body.subjectKey) === key);
  }

  #add(key: string, playbook: ListedPlaybook, alert: Alert): void {
    this.#model.bodies.set(key, {
      state: { playbook: playbook.id, subjectKey: subjectKeyOf(playbook, alert), state: 'waiting', alerts: 1 },
      alert,
      severity: alert.severity,
    });
  }

  #startNext(): void {
    while (this.#model.runningBodies < this.#model.settings.maxBodies) {
      const next = this.#worstWaiting();
      if (!next) return;
      next.state = { ...next.state, state: 'running' };
      void this.#run(next);
    }
  }

  #worstWaiting(): Body | undefined {
    const waiting = [...this.#model.bodies.values()].filter((body) => body.state.state === 'waiting');
    const worst = severities.find((severity) => waiting.some((body) => atLeast(body.severity, severity)));
    return waiting.find((body) => worst !== undefined && atLeast(body.severity, worst));
  }

  async #run(body: Body): Promise<void> {
    const playbook = this.#enabled.find((listed) => listed.id === body.state.playbook);
    if (!playbook) return;
    const actor = `playbook/${playbook.id}`;
    this.#model.record('playbook.started', actor, playbook.title, {
      subject: body.state.subjectKey,
      alert: body.alert.id,
      rule: body.alert.rule,
      severity: body.alert.severity,
      ...(playbook.on.rules === 'unanswered' && { unanswered: true }),
    });
    try {
      await playbook.run(contextFor(this.#parts, playbook, body));
      body.state = { ...body.state, state: 'done' };
      this.#model.record('playbook.done', actor, 'done');
    } catch (error) {
      const failure = stepFailure(error);
      body.state = { ...body.state, state: 'failed', detail: failure.message };
      this.#model.record('playbook.failed', actor, failure.message, { code: failure.code });
      this.#parts.questions.page(`Playbook ${playbook.id} stopped: ${failure.message}`);
    }
    this.#startNext();
  }
}

function bodyKey(playbook: string, subjectKey: string): string {
  return JSON.stringify([playbook, subjectKey]);
}
