import type { FollowUpActivities } from '../../core/action/step.ts';
import { worse } from '../../core/alert/severity.ts';
import { placeText } from '../../core/alert/what-ran.ts';
import { assessedAlertsIn } from '../../core/assessment/assessed-alerts.ts';
import { wouldHaveText } from '../../core/assessment/response.ts';
import { containmentText, sureness } from '../../core/cards/card-words.ts';
import { worstWhat } from '../../core/console/incident-summary.ts';
import type { Level } from '../../core/decide/approval.ts';
import { silenceAt } from '../../core/decide/question.ts';
import { shortIncidentId } from '../../core/incident/incident.ts';
import type { FollowUpState } from '../../core/incident/incident-input.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { levelAtRenewal } from '../../core/incident/lease.ts';
import { lastPart } from '../../core/text/object-name.ts';
import type { Page } from '../../core/tickets/paging.ts';
import { stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition } from '../world.ts';

interface Call {
  /** A question's id, `lease:ID`, `changed:LEASE`, `refused:LEASE`, `delayed:STEP` or `undone:STEP`: if it is settled before anybody was called, nobody is. */
  readonly reason: string;
  readonly group: string;
  readonly summary: string;
  /** The question to answer; absent if nothing is asked. */
  readonly question?: string;
}

const undoneStep = 'undone:';
const delayedStep = 'delayed:';
const changedContainment = 'changed:';
const refusedRelease = 'refused:';
const settledKinds: ReadonlySet<string> = new Set(['question.decided', 'question.void']);
const leaseSettledKinds: ReadonlySet<string> = new Set([
  'lease.extended',
  'lease.permanent',
  'lease.released',
  'lease.gone',
  'lease.drifted',
]);

/**
 * Calls people if a level says so, and when a lease is renewed in silence; ends the page when everything it called for is settled. One page at a time; calls
 * and ends are sent one after another, because an end that overtakes its call would leave an alert open for ever.
 */
export class PageKeeper {
  readonly #model: IncidentModel;
  readonly #activities: FollowUpActivities;
  #waiting: readonly (Call | 'end')[] = [];

  constructor(model: IncidentModel, activities: FollowUpActivities) {
    this.#model = model;
    this.#activities = activities;
  }

  hear(kind: string, text: string, body: Readonly<Record<string, unknown>>): void {
    if (kind === 'incident.opened' || kind === 'alert.joined') {
      this.#assessed(body);
      this.#told(body);
    }
    if (kind === 'question.asked') this.#atLevel(idOf(body.question), 0);
    if (kind === 'question.joined') this.#atJoin(idOf(body.question));
    if ((kind === 'question.escalated' || kind === 'question.handed-over') && typeof body.level === 'number')
      this.#atLevel(idOf(body.question), body.level);
    if (kind === 'lease.renewed' || kind === 'lease.escalated') this.#atRenewal(String(body.lease), Number(body.renewals), text);
    if (kind === 'step.failed' && isForPeople(body)) this.#atStep(undoneStep, body, text);
    if (kind === 'step.delayed' && contains(body)) this.#atStep(delayedStep, body, text);
    if (kind === 'lease.release-refused' && body.code !== undefined) this.#atRefusal(String(body.lease), text);
    if (kind.startsWith('containment.') && kind !== 'containment.whole') this.#atChange(text);
    if (settledKinds.has(kind)) this.#settled(idOf(body.question));
    if (leaseSettledKinds.has(kind))
      this.#settled(...['lease:', changedContainment, refusedRelease].map((reason) => `${reason}${String(body.lease)}`));
    if (kind === 'step.joined' && body.lease !== undefined) this.#settled(`${refusedRelease}${String(body.lease)}`);
    if (kind === 'step.applied' || kind === 'step.failed') this.#settled(`${delayedStep}${String(body.step)}`);
  }

  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#waiting.length > 0);
      const [next] = this.#waiting;
      if (next !== undefined) await this.#model.during(next === 'end' ? this.#end() : this.#call(next));
      this.#waiting = this.#waiting.slice(1);
    }
  }

  async finish(): Promise<void> {
    const { calledFor, calledGroups } = this.#state;
    const stands = calledFor.some((reason) => reason.startsWith(undoneStep));
    if (!stands && (calledFor.length > 0 || calledGroups.length > 0)) {
      this.#set({ calledFor: [] });
      this.#waiting = [...this.#waiting, 'end'];
    }
    await condition(() => this.idle);
  }

  /** A question of an incident is about its worst alert. */
  #assessed(body: Readonly<Record<string, unknown>>): void {
    const told = assessedAlertsIn(body).flatMap(({ assessment }) => {
      const text = wouldHaveText(assessment);
      return text === undefined ? [] : [{ text, contains: assessment.would === 'contain' && assessment.heldBack === undefined }];
    });
    const worst = told.find(({ contains }) => contains) ?? told[0];
    if (worst && (worst.contains || this.#state.wouldHave === undefined)) this.#set({ wouldHave: worst.text });
  }

  #told({ alerts }: Readonly<Record<string, unknown>>): void {
    const worst = worstWhat(alerts);
    const known = this.#state.what;
    if (worst && (!known || worse(known.severity, worst.severity) !== known.severity)) this.#set({ what: worst });
  }

  #atLevel(question: string, level: number): void {
    const asked = this.#model.questions.get(question)?.question;
    const { page, group }: Partial<Level> = asked?.levels[level] ?? {};
    if (page && group !== undefined) this.#add({ reason: question, question, group, summary: asked?.text ?? question });
  }

  /** A further finding may be reason to wake people whom the question did not wake so far. */
  #atJoin(question: string): void {
    const { level = 0 } = this.#model.questions.get(question) ?? {};
    if (!this.#state.calledFor.includes(question)) this.#atLevel(question, level);
  }

  /** Every further renewal calls the next level that has a pager. */
  #atRenewal(lease: string, renewals: number, text: string): void {
    const { levels } = this.#model.settings;
    const level = levels[levelAtRenewal(levels, renewals)];
    const question = `lease:${lease}`;
    if (level?.page) this.#add({ reason: question, question, group: level.group, summary: text });
  }

  /**
   * The step was not done, and nobody is asked: only people can act. For a failed step the page stays open until they end it, because the incident is soon
   * over.
   */
  #atStep(reason: string, { step }: Readonly<Record<string, unknown>>, text: string): void {
    const level = this.#model.settings.levels.find(({ page }) => page);
    if (level) this.#add({ reason: `${reason}${String(step)}`, group: level.group, summary: text });
  }

  /** People have decided to release it, or its time is over, and yet it is still contained. */
  #atRefusal(lease: string, text: string): void {
    const level = this.#model.settings.levels.find(({ page }) => page);
    if (level) this.#add({ reason: `${refusedRelease}${lease}`, question: `lease:${lease}`, group: level.group, summary: text });
  }

  /** Somebody changed what is contained: calls once per lease in force, until people have decided on it; without a lease, once. */
  #atChange(text: string): void {
    const level = this.#model.settings.levels.find(({ page }) => page);
    const [lease] = this.#model.activeLeases;
    const isHeldOtherwise = [...this.#model.steps.values()].some(({ state }) => state === 'drifted');
    if (!level || !(lease || isHeldOtherwise)) return;
    const reason = `${changedContainment}${lease?.id ?? ''}`;
    if (this.#state.calledFor.includes(reason)) return;
    this.#add({ reason, ...(lease && { question: `lease:${lease.id}` }), group: level.group, summary: text });
  }

  #add(call: Call): void {
    const { calledFor } = this.#state;
    this.#set({ calledFor: [...new Set([...calledFor, call.reason])] });
    this.#waiting = [...this.#waiting, call];
  }

  #settled(...reasons: readonly string[]): void {
    const { calledFor } = this.#state;
    const left = calledFor.filter((reason) => !reasons.includes(reason));
    if (left.length === calledFor.length) return;
    this.#set({ calledFor: left });
    if (left.length === 0) this.#waiting = [...this.#waiting, 'end'];
  }

  async #call(call: Call): Promise<void> {
    if (!this.#state.calledFor.includes(call.reason)) return;
    const { calls, calledGroups, pageBegan } = this.#state;
    const began = calledGroups.length === 0 ? calls : pageBegan;
    this.#set({ calls: calls + 1, calledGroups: [...new Set([...calledGroups, call.group])], pageBegan: began });
    try {
      await this.#activities.callPeople({ ...this.#page(call, calls), began });
      this.#model.record('page.sent', 'engine', `${call.group} is called: ${call.summary}`, { group: call.group });
    } catch (error) {
      const { code, message } = stepFailure(error);
      this.#model.record('page.failed', 'engine', `${call.group} could not be called: ${message}`, { code });
    }
  }

  async #end(): Promise<void> {
    const { calledFor, calledGroups, calls, pageBegan } = this.#state;
    if (calledFor.length > 0 || calledGroups.length === 0) return;
    try {
      await this.#activities.endPage({ incident: this.#model.ref, began: pageBegan, nth: calls, groups: calledGroups });
      this.#set({ calledGroups: [] });
    } catch (error) {
      const { code, message } = stepFailure(error);
      this.#set({ calledGroups: [] });
      this.#model.record('page.failed', 'engine', `the page could not be ended: ${message}`, { code });
    }
  }

  #page(call: Call, nth: number): Omit<Page, 'key'> {
    const { ref, title, severity, subject, counts, total } = this.#model;
    const rules = [...new Set([...counts.values()].map((count) => count.rule))].slice(0, 5).join(', ');
    const held = this.#model.activeLeases.map(containmentText).slice(0, 5);
    const question = this.#questionOf(call);
    return {
      nth,
      group: call.group,
      incident: { ...ref, title, severity, cluster: subject.cluster },
      ...(call.question === undefined ? {} : { question: call.question }),
      summary: this.#summary(call),
      details: {
        // With the names of pods.
        ...(question && { question: question.question.text }),
        ...(call.summary !== question?.question.text && { news: call.summary }),
        alerts: `${total} × ${rules}`,
        ...(this.#state.wouldHave !== undefined && { 'mode contain': this.#state.wouldHave }),
        contained: held.length > 0 ? held.join(', ') : 'nothing',
        answer: `in Slack, or: firebreak incidents show ${shortIncidentId(ref.id, subject.cluster)}`,
        ...(this.#state.tickets[0]?.url ? { ticket: this.#state.tickets[0].url } : {}),
      },
    };
  }

  /**
   * What happened, what is contained, what is asked, and what silence does, as a telephone reads it aloud: pods are named by their workload, because nobody
   * remembers the end of their names.
   */
  #summary(call: Call): string {
    const { subject, counts } = this.#model;
    const question = this.#questionOf(call);
    const parts = [
      this.#state.what?.what ?? placeText(subject),
      ...(question ? [this.#containedText()] : []),
      call.summary,
      ...(question ? [silenceText(question)] : []),
    ];
    const text = parts.map((part) => (/[.?!:]$/.test(part) ? part : `${part}.`)).join(' ');
    if (subject.kind !== 'workload') return text;
    const pods = new Set([...counts.values()].flatMap(({ pod }) => (pod === undefined ? [] : [lastPart(pod)])));
    return [...pods].reduce((now, pod) => now.replaceAll(pod, subject.name), text);
  }

  #containedText(): string {
    const [first, ...others] = this.#model.activeLeases;
    if (!first) return 'Not contained.';
    if (others.length > 0) return `${others.length + 1} containments are in force.`;
    const state = this.#model.steps.get(first.stepKey)?.state ?? 'running';
    return `Contained: ${containmentText(first)}, ${sureness[state]}.`;
  }

  #questionOf({ question }: Call): QuestionState | undefined {
    return question === undefined ? undefined : this.#model.questions.get(question);
  }

  get #state(): FollowUpState {
    return this.#model.followUp;
  }

  #set(change: Partial<FollowUpState>): void {
    this.#model.followUp = { ...this.#model.followUp, ...change };
  }
}

/** The time is put into words at the desk. */
function silenceText(state: QuestionState): string {
  const until = silenceAt(state);
  return `No answer${until === undefined ? '' : ` by ${until}`}: ${state.question.onSilence}`;
}

/** For a failed step: Firebreak does not retry it. */
function isForPeople(body: Readonly<Record<string, unknown>>): boolean {
  return body.code === 'FB_ERR_PROTECTED' || (body.code === 'FB_ERR_API_REFUSED' && contains(body));
}

function contains({ action }: Readonly<Record<string, unknown>>): boolean {
  return typeof action === 'string' && declarationOf(action).contains === true;
}

function idOf(question: unknown): string {
  if (typeof question === 'string') return question;
  return typeof question === 'object' && question !== null && 'id' in question ? String(question.id) : '';
}
