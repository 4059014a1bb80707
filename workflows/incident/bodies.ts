import type { Alert } from '../../core/alert/alert.ts';
import { asksAgainFrom, covers, type HarmlessDecision, withKind } from '../../core/alert/coverage.ts';
import { atLeast, severities } from '../../core/alert/severity.ts';
import { isAskedAbout, isContainedAtOnce, isStronger } from '../../core/assessment/contained-at-once.ts';
import { howToRerun } from '../../core/incident/begun-again.ts';
import { type AlertCount, shortIncidentId } from '../../core/incident/incident.ts';
import type { BodyState } from '../../core/incident/incident-state.ts';
import { answering, chosenFrom, isFor, subjectKeyOf } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { followsAssessment, type PlaybookEnd } from '../../core/playbook/playbook.ts';
import { stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import { StepFailure } from '../step-failure.ts';
import { condition, type FailedPromise, logLine, nowMs, within } from '../world.ts';
import { BodyWork } from './body-work.ts';
import { type BodyLife, type CalledPlaybook, type ContextParts, contextFor } from './context.ts';
import type { Body, IncidentModel } from './model.ts';
import { Recurrences } from './recurrence.ts';

/**
 * Runs the bodies of playbooks: once per playbook and subject, a limited number at a time, the worst first. Alerts that people's answer does not cover run the
 * body again; those it covers are asked about again if nothing holds the subject any more: see `core/alert/coverage.ts`.
 */
export class Bodies {
  readonly #model: IncidentModel;
  readonly #parts: ContextParts;
  readonly #enabled: readonly ListedPlaybook[];
  readonly #cameAgain: Recurrences;

  /** @param lists all playbooks, by pack; the incident's settings say which are enabled. */
  constructor(parts: ContextParts, lists: readonly (readonly ListedPlaybook[])[]) {
    this.#model = parts.model;
    this.#parts = parts;
    this.#enabled = chosenFrom(lists, ({ id }) => parts.model.settings.playbooks.includes(id));
    this.#cameAgain = new Recurrences(parts);
  }

  /** Evaluates every enabled playbook for an alert that is new to the incident. */
  evaluate(alert: Alert): void {
    for (const playbook of answering(this.#enabled, alert)) {
      const key = bodyKey(playbook.id, subjectKeyOf(playbook, alert));
      const known = this.#model.bodies.get(key);
      const state = known?.state ?? this.#ended(key);
      if (alert.scheduledFor !== undefined) this.#due(key, playbook, alert, state);
      else if (state?.withheld && isAskedAbout(alert) && !this.#isHeld(alert)) this.#raised(key, playbook, alert);
      else if (known && isOpen(known.state)) this.#more(known, alert);
      else if (state === undefined || state.state === 'skipped') this.#first(key, playbook, alert, state?.skips);
      else {
        if (known) known.state = { ...known.state, alerts: known.state.alerts + 1 };
        if (!mayAsk(playbook, alert) || !isNews(alert) || this.#isHeld(alert)) continue;
        const decided = this.#decisionOn(key, state, alert);
        if (decided) this.#cameAgain.ask({ playbook, alert, decided });
        else if (state.verdict !== 'true_positive' && (state.decided || !covers(state.kinds, alert) || this.#wasHeld(alert)))
          this.#anew(key, playbook, alert);
      }
    }
    this.#startNext();
  }

  /** Handles alerts that the batch only counts, for bodies that people have called harmless. */
  repeated({ rule, severity, pod, count }: AlertCount): void {
    if (!atLeast(severity, asksAgainFrom)) return;
    for (const { alert, state } of this.#model.bodies.values()) {
      const name = alert.pod && `${alert.pod.namespace}/${alert.pod.name}`;
      const playbook = this.#playbookOf(state);
      if (name !== pod || !playbook || !state.decided || !covers(state.decided.covers, { rule, severity })) continue;
      if (isOpen(state) || this.#isHeld(alert)) continue;
      this.#cameAgain.ask({ playbook, alert: { ...alert, rule, severity }, decided: state.decided, times: count });
    }
  }

  /** People have released a pod through its lease, whatever its bodies asked: this decides what was known of it then. */
  givenBack(uid: string | undefined, at: string, by: readonly string[]): void {
    const given = (state: BodyState): BodyState =>
      uid !== undefined && state.subjectKey.startsWith(`pod:${uid}`)
        ? { ...state, decided: { at, by, covers: state.kinds } }
        : state;
    this.#model.endedBodies = this.#model.endedBodies.map(given);
    for (const body of this.#model.bodies.values()) body.state = given(body.state);
  }

  /** A scheduled playbook is due. It is skipped if its previous run is still in progress. */
  #due(key: string, playbook: ListedPlaybook, alert: Alert, before: BodyState | undefined): void {
    const actor = `playbook/${playbook.id}`;
    if (before && isOpen(before))
      this.#model.record('playbook.skipped', actor, 'skipped: the previous run has not ended', { alert: alert.id });
    else if (before === undefined) this.#add(key, playbook, alert);
    else this.#anew(key, playbook, alert, 'it is due again');
  }

  #first(key: string, playbook: ListedPlaybook, alert: Alert, skips = 0): void {
    const { decided } = alert;
    // Released by an earlier incident.
    const asked = decided && atLeast(alert.severity, asksAgainFrom) && covers(decided.covers, alert);
    if (asked && mayAsk(playbook, alert) && !this.#isHeld(alert)) this.#cameAgain.ask({ playbook, alert, decided });
    else this.#add(key, playbook, alert, skips);
  }

  /** One more of the same alert. While the body waits for its turn, it waits with the highest severity of them. */
  #more(body: Body, alert: Alert): void {
    const { alerts, kinds } = body.state;
    body.state = { ...body.state, alerts: alerts + 1, kinds: withKind(kinds, alert) };
    if (body.shown && !covers(body.shown, alert) && !atLeast(body.uncovered?.severity ?? 'unknown', alert.severity))
      body.uncovered = alert;
    // What people have called harmless since is asked about again, and not contained by itself.
    if (isContainedAtOnce(alert) && !(body.state.decided && covers(body.state.decided.covers, alert)))
      body.containAtOnce?.(alert);
    const isStrongest = isStronger(alert, body.strongest);
    if (isStrongest) body.strongest = alert;
    if (body.state.state !== 'waiting') return;
    const isWorse = !atLeast(body.severity, alert.severity);
    if (isWorse) body.severity = alert.severity;
    // It runs for the alert about which most is done: a worse one that is only filed must not keep its pod from being contained.
    if (isStrongest || (isWorse && !isStronger(body.strongest, alert))) body.alert = alert;
  }

  /** Nobody was asked about it so far, and now people are. A run that is still at work goes on beside the new one: it may wait for a ticket system for hours. */
  #raised(key: string, playbook: ListedPlaybook, alert: Alert): void {
    const before = this.#model.bodies.get(key);
    if (before && isOpen(before.state)) {
      this.#model.bodies.delete(key);
      this.#model.bodies.set(`${key} withheld at ${this.#model.total}`, before);
    }
    this.#anew(key, playbook, alert, `“${alert.rule}” (${alert.severity}) is reason to ask people`);
  }

  #ended(key: string): BodyState | undefined {
    return this.#endedOf(key).at(-1);
  }

  #endedOf(key: string): readonly BodyState[] {
    return this.#model.endedBodies.filter((body) => bodyKey(body.playbook, body.subjectKey) === key);
  }

  /** The answer of people that covers an alert: an answer about something else does not revoke it, but a `true_positive` verdict does. */
  #decisionOn(key: string, newest: BodyState, alert: Alert): HarmlessDecision | undefined {
    if (newest.verdict === 'true_positive') return undefined;
    const answers = [...this.#endedOf(key), newest].map(({ decided }) => decided);
    return answers.findLast((decided) => decided && covers(decided.covers, alert));
  }

  #add(key: string, playbook: ListedPlaybook, alert: Alert, skips = 0): void {
    // Repeated skips are no news, and do not keep an incident open.
    if (skips === 0) this.#model.lastNewsAt = nowMs();
    if (skips > 0)
      this.#model.endedBodies = this.#model.endedBodies.filter((body) => bodyKey(body.playbook, body.subjectKey) !== key);
    this.#model.bodies.set(key, {
      state: {
        playbook: playbook.id,
        subjectKey: subjectKeyOf(playbook, alert),
        state: 'waiting',
        alerts: 1,
        kinds: withKind([], alert),
        ...(skips > 0 && { skips }),
      },
      alert,
      strongest: alert,
      severity: alert.severity,
      waitsFor: new Set(),
    });
  }

  /** Runs the body again for something not yet decided: the answer about the rest stands, but does not cover this. */
  #anew(key: string, playbook: ListedPlaybook, alert: Alert, why = `“${alert.rule}” (${alert.severity}) was not decided`): void {
    const before = this.#model.bodies.get(key);
    if (before) this.#model.endedBodies = [...this.#model.endedBodies, before.state];
    this.#model.record('playbook.again', `playbook/${playbook.id}`, why, { alert: alert.id });
    this.#add(key, playbook, alert);
  }

  /** Whether a containment is in force on its pod, or on the pods of its workload. */
  #isHeld({ pod, workload }: Alert): boolean {
    const ofWorkload = workload && `${workload.kind.toLowerCase()}/${workload.namespace}/${workload.name}`;
    return this.#model.holdingLeases.some(({ action, target }) => {
      if (!declarationOf(action).contains) return false;
      return target.uid === undefined ? target.name === ofWorkload : target.uid === pod?.uid;
    });
  }

  /** Whether a containment was in force on it, and has ended. */
  #wasHeld({ pod }: Alert): boolean {
    const { leases } = this.#model;
    return (
      pod?.uid !== undefined &&
      [...leases.values()].some(({ target, state }) => target.uid === pod.uid && (state === 'released' || state === 'gone'))
    );
  }

  #playbookOf({ playbook }: BodyState): ListedPlaybook | undefined {
    return this.#enabled.find(({ id }) => id === playbook);
  }

  #startNext(): void {
    while (this.#model.runningBodies < this.#model.settings.maxBodies) {
      const next = this.#worstWaiting();
      if (!next) return;
      this.#start(next);
    }
  }

  #start(body: Body): void {
    body.state = { ...body.state, state: 'running' };
    void this.#run(body);
  }

  #worstWaiting(): Body | undefined {
    const waiting = [...this.#model.bodies.values()].filter((body) => body.state.state === 'waiting');
    const worst = severities.find((severity) => waiting.some((body) => atLeast(body.severity, severity)));
    return waiting.find((body) => worst !== undefined && atLeast(body.severity, worst));
  }

  async #run(body: Body): Promise<void> {
    const playbook = this.#playbookOf(body.state);
    if (!playbook) return;
    const actor = `playbook/${playbook.id}`;
    const { skips = 0 } = body.state;
    // After a skip it counts as begun only once it does something.
    let begun = false;
    const begin = (): void => {
      if (!begun) this.#started(playbook, body);
      begun = true;
    };
    if (skips === 0) begin();
    const work: BodyWork = new BodyWork({
      onAct: begin,
      onDropped: (failed) => this.#dropped(playbook.id, failed, work),
    });
    // `undefined` can be thrown too.
    let failed: { readonly thrown: unknown } | undefined;
    try {
      await within(work, () => playbook.run(contextFor(this.#parts, playbook, body, this.#lifeOf(body, work))));
    } catch (error) {
      failed = { thrown: error };
    }
    if (work.unsettled.length > 0) {
      const { unsettled } = work;
      const text = `waited for, although the playbook does not await it: ${unsettled.join(', ')}. Write await before it, or settle`;
      this.#model.record('playbook.unsettled', actor, text, { unsettled });
      await work.settled();
    }
    work.end();
    if (work.skipped) this.#skipped(body, work.skipped.reason, skips + 1);
    else {
      begin();
      const { skips: _, ...state } = body.state;
      body.state = state;
      if (failed) this.#failed(body, failed.thrown, work);
      else this.#done(playbook, body);
    }
    this.#startNext();
  }

  #lifeOf(body: Body, work: BodyWork): BodyLife {
    return {
      work,
      onWait: () => this.#startNext(),
      runPlaybook: (other) => this.#runWithin(body, other),
    };
  }

  /** Runs another playbook for a body: at once, because the waiting caller occupies no slot. @throws StepFailure if it may not be run. */
  async #runWithin(caller: Body, other: CalledPlaybook): Promise<PlaybookEnd> {
    const { alert } = caller;
    const [pack = ''] = caller.state.playbook.split('/');
    const isMeant = ({ id, run }: ListedPlaybook) =>
      other.run === undefined ? id === other.id || id === `${pack}/${other.id}` : run === other.run;
    const playbook = this.#enabled.find(isMeant);
    if (!playbook) throw new StepFailure('FB_ERR_REFUSED', `playbook ${other.id} is not enabled`);
    const { id } = playbook;
    const missing = playbook.on.requires.find((need) => (need === 'pod' ? alert.pod?.uid : alert[need]) === undefined);
    if (missing !== undefined)
      throw new StepFailure('FB_ERR_REFUSED', `playbook ${id} requires a ${missing}, and this alert has none`);
    const key = bodyKey(id, subjectKeyOf(playbook, alert));
    const known = this.#model.bodies.get(key);
    const before = known?.state ?? this.#ended(key);
    if (before?.state === 'done' && covers(before.kinds, alert)) return endOf(before);
    if (known && isOpen(known.state) && waitsFor(known, caller))
      throw new StepFailure('FB_ERR_REFUSED', `playbook ${id} waits for the one that calls it`);
    if (before === undefined || before.state === 'skipped') this.#add(key, playbook, alert, before?.skips);
    else if (!isOpen(before)) this.#anew(key, playbook, alert);
    const called = this.#model.bodies.get(key);
    if (!called) throw new Error('a body that was just added is missing');
    caller.waitsFor.add(called);
    try {
      if (called.state.state === 'waiting') this.#start(called);
      this.#startNext();
      await condition(() => !isOpen(called.state));
      return endOf(called.state);
    } finally {
      caller.waitsFor.delete(called);
    }
  }

  #started(playbook: ListedPlaybook, { state, alert }: Body): void {
    const { build } = this.#model.settings;
    this.#model.record('playbook.started', `playbook/${playbook.id}`, playbook.title, {
      subject: state.subjectKey,
      alert: alert.id,
      rule: alert.rule,
      severity: alert.severity,
      ...(playbook.version !== undefined && { version: playbook.version }),
      ...(build !== undefined && { build }),
      ...(playbook.on.match === 'unanswered' && !this.#enabled.some((one) => isFor(one, alert)) && { unanswered: true }),
    });
  }

  /** A skip uses nothing up. Of many in a row only the 1st, the 10th, the 100th and so on are recorded: a storm would fill the records. */
  #skipped(body: Body, reason: string, skips: number): void {
    body.state = { ...body.state, state: 'skipped', detail: reason, skips };
    if (!/^10*$/.test(String(skips))) return;
    const text = skips === 1 ? `skipped: ${reason}` : `skipped ${skips} times in a row, now for: ${reason}`;
    this.#model.record('playbook.skipped', `playbook/${body.state.playbook}`, text, {
      subject: body.state.subjectKey,
      alert: body.alert.id,
      times: skips,
    });
  }

  #done(playbook: ListedPlaybook, body: Body): void {
    body.state = { ...body.state, state: 'done' };
    this.#model.record('playbook.done', `playbook/${playbook.id}`, 'done');
    this.#settle(playbook, body);
  }

  /** Reports the place in the author's source, if known: for a loop it has been reported already. */
  #failed(body: Body, thrown: unknown, work: BodyWork): void {
    const { playbook } = body.state;
    const { code, message } = stepFailure(thrown);
    const at = code === 'FB_ERR_PLAYBOOK_LOOPS' ? undefined : work.placeOf(thrown);
    const detail = at === undefined ? message : `${message}, at ${at}`;
    body.state = { ...body.state, state: 'failed', detail };
    this.#model.record('playbook.failed', `playbook/${playbook}`, detail, { code, ...(at !== undefined && { at }) });
    // For its author, who reads what the service prints.
    const { subjectKey } = body.state;
    logLine(`the playbook stopped: ${detail}`, { firebreakPlaybook: { playbook, subject: subjectKey, stopped: true } });
    const { ref, subject } = this.#model;
    this.#parts.questions.page(stoppedText({ playbook, detail, incident: shortIncidentId(ref.id, subject.cluster) }));
  }

  /** A promise that the body did not await has failed: the body goes on, and people are told as if a body had failed. */
  #dropped(playbook: string, { reason, at }: FailedPromise, work: BodyWork): void {
    const { code, message } = stepFailure(reason);
    const place = work.placeOf(reason) ?? at;
    const text = `something failed that the playbook does not await: ${message}, at ${place}. Write await before it, or settle`;
    this.#model.record('playbook.dropped', `playbook/${playbook}`, text, { code, at: place });
    this.#parts.questions.page(`Playbook ${playbook}: ${text}`);
  }

  /** People have called it harmless: what they were shown is decided, and what came meanwhile is not. */
  #settle(playbook: ListedPlaybook, body: Body): void {
    const { verdict, verdictFrom } = body.state;
    const status = verdictFrom === undefined ? undefined : this.#model.questions.get(verdictFrom)?.status;
    if (verdict !== 'benign' || status?.state !== 'decided') return;
    const { at, by } = status;
    const decided = { at, by, covers: body.shown ?? [] };
    body.state = { ...body.state, decided };
    const said = decided.covers.map(({ rule, severity }) => `“${rule}” (${severity})`).join(', ');
    const who = by.map((person) => `person/${person}`).join(',');
    this.#model.record('decision.covers', who, `harmless: ${said}`, { subject: body.state.subjectKey, ...decided });
    const { uncovered } = body;
    if (!uncovered || !atLeast(uncovered.severity, asksAgainFrom) || this.#isHeld(uncovered)) return;
    this.#anew(bodyKey(playbook.id, body.state.subjectKey), playbook, uncovered);
  }
}

/** What the people of the incident are told: what happened, what still holds, and what they can do. */
function stoppedText(stopped: { readonly playbook: string; readonly detail: string; readonly incident: string }): string {
  const { playbook, detail, incident } = stopped;
  return (
    `Playbook ${playbook} stopped: ${detail}. What it has contained stays contained. It asks nothing more. ` +
    howToRerun(incident)
  );
}

/** Whether it is grave enough to run a body again. */
function isNews(alert: Alert): boolean {
  return isContainedAtOnce(alert) || atLeast(alert.severity, asksAgainFrom);
}

/** Whether an alert may put a question of this playbook before people. */
function mayAsk(playbook: ListedPlaybook, alert: Alert): boolean {
  return !followsAssessment(playbook) || isAskedAbout(alert);
}

/** Whether a body waits for another, directly or indirectly. */
function waitsFor(body: Body, other: Body): boolean {
  return body === other || [...body.waitsFor].some((next) => waitsFor(next, other));
}

function endOf({ state, detail, verdict }: BodyState): PlaybookEnd {
  return {
    state: state === 'failed' || state === 'skipped' ? state : 'done',
    ...(detail !== undefined && { detail }),
    ...(verdict !== undefined && { verdict }),
  };
}

function isOpen({ state }: BodyState): boolean {
  return state === 'waiting' || state === 'running';
}

function bodyKey(playbook: string, subjectKey: string): string {
  return JSON.stringify([playbook, subjectKey]);
}
