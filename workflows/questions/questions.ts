import type { Plan } from '../../core/action/plan.ts';
import type { DeskActivities } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import { standingQuestionText } from '../../core/cards/card-words.ts';
import { labelIn } from '../../core/cards/choice-label.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import { proofOf, silenceOn } from '../../core/decide/question.ts';
import { askedElsewhere, leaseOfStanding, releaseChoice, standingIdOf } from '../../core/decide/standing-question.ts';
import type { CarriedCard } from '../../core/incident/incident-input.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { type Lease, levelAtRenewal, silenceOnLease } from '../../core/incident/lease.ts';
import { stepFailure } from '../calls.ts';
import { CardKeeper } from '../incident/cards.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, nowMs, timeNow } from '../world.ts';
import { type Asked, type AskedQuestion, openQuestion } from './asked-question.ts';
import { findingText } from './joint-question.ts';
import { JointQuestions } from './joint-questions.ts';
import { askWho, type Escalation, silence, tellOfShown, timeOf, waitAtLevel } from './levels.ts';
import type { CountedVote } from './votes.ts';

export type Decision =
  | {
      readonly question: string;
      readonly choice: string;
      readonly by: readonly string[];
      readonly proof: ApprovalProof;
      /** The filled-in form, if the choice has one. */
      readonly answers?: FormAnswers;
    }
  | undefined;

/** Cards of questions that are over, and are still edited after the history is cut. */
const mostCarried = 20;

type LeaseDecided = (
  lease: string,
  choice: string,
  by: string,
  approval: { readonly proof: ApprovalProof; readonly plan: Plan | undefined },
) => Promise<void>;

/** Asks people questions, decides who is asked when, and what the result is. */
export class Questions {
  readonly #model: IncidentModel;
  readonly #desk: DeskActivities;
  readonly #cards = new Map<string, CardKeeper>();
  readonly #joint: JointQuestions;
  #onLeaseDecided: LeaseDecided = async () => undefined;

  constructor(model: IncidentModel, desk: DeskActivities) {
    this.#model = model;
    this.#desk = desk;
    this.#joint = new JointQuestions(model);
  }

  onLeaseDecided(handler: LeaseDecided): void {
    this.#onLeaseDecided = handler;
  }

  /**
   * Asks, or joins the open question of another body about the same pod, and returns the decision; undefined means silence, or a question that became void, or
   * pointless for this body.
   */
  async ask(asked: AskedQuestion): Promise<Decision> {
    if (this.#model.settings.observed) return this.withhold(asked, 'in mode contain this would have been asked');
    const id = this.#join(asked) ?? (await this.#begin(asked));
    const isOpen = () => this.#get(id).status.state === 'open';
    const { until } = asked;
    await condition(() => !isOpen() || until?.() !== undefined);
    if (!isOpen()) {
      if (this.#get(id).status.state === 'expired') asked.onExpired?.(this.#get(id));
      return this.#decision(id);
    }
    const why = until?.();
    if (why !== undefined && this.#joint.leave(id, asked)) this.#void(id, why);
    return undefined;
  }

  async #begin(asked: AskedQuestion): Promise<string> {
    const id = `${this.#model.newId()}-q`;
    this.#joint.begin(id, asked);
    const state = this.#open(id, asked);
    this.#model.record('question.asked', asked.requester, asked.text, { question: state.question, digest: state.digest });
    this.#takeOver(state);
    await askWho(this.#model, id);
    const card = this.#cardOf(id, this.#joint.of(id)?.alert ?? asked.alert);
    // A card that the desk refuses for good must not end the question: it can still be answered on the command line.
    void this.#model.during(card.run()).catch((error: unknown) => this.#cardFailed(id, error));
    if (asked.containsOnSilence !== undefined) void this.#model.during(tellOfShown(this.#model, id, () => card.isShown));
    void this.#askLevels(id);
    return id;
  }

  async #askLevels(id: string): Promise<void> {
    const isOpen = () => this.#get(id).status.state === 'open';
    let why: Escalation = silence;
    for (let level = 0; level < this.#get(id).question.levels.length && isOpen(); level += 1) {
      // A veto, or a person, has called this level early.
      if (this.#get(id).level < level) this.#escalate(id, level, why);
      const withinMs = timeOf(this.#get(id), level);
      const touch = (): void => this.#cards.get(id)?.touch();
      const handedOver = (group: string, people: readonly string[]): void => this.#handedOver(id, level, group, people);
      why = await waitAtLevel({ model: this.#model, id, level, withinMs, touch, handedOver });
    }
    if (isOpen()) this.#endInSilence(id);
  }

  /** A further finding makes it another question: what people have answered before does not cover it. */
  #join(asked: AskedQuestion): string | undefined {
    const id = this.#joint.join(asked);
    const joint = id === undefined ? undefined : this.#joint.of(id);
    if (id === undefined || !joint) return undefined;
    const before = this.#get(id);
    const after = this.#joint.askedAnew(before, asked);
    const finding = findingText(asked);
    if (!after) {
      this.#model.record('question.joined', asked.requester, `${finding} is asked about already: ${joint.text}`, {
        question: id,
      });
      return id;
    }
    this.#set(after);
    this.#model.record('question.joined', asked.requester, `${finding} has joined: ${joint.text}`, {
      question: after.question,
      digest: after.digest,
    });
    this.#cards.get(id)?.showAlert(joint.alert);
    const voters = this.#model.namesOf([...new Set(before.votes.map(({ vote }) => vote.person))]);
    if (voters.length > 0)
      this.page(
        `${finding} was found after ${voters.join(' and ')} answered: answer the question again, as it is asked now. ${joint.text}`,
      );
    return id;
  }

  /** As if nobody had answered. */
  withhold({ requester, text, choices }: AskedQuestion, why: string): undefined {
    const offered = choices.map(({ label }) => label).join(', ');
    this.#model.record('question.withheld', requester, `${why}: ${text} (${offered})`);
    return undefined;
  }

  /** One standing question per lease: extend it, make it permanent, or release it. Asked again after every answer that leaves it in force. */
  standing(lease: Lease, undoPlan: Plan): void {
    const id = `lease:${lease.id}`;
    const state = this.#open(id, {
      text: standingQuestionText(lease),
      choices: [
        { id: 'extend', label: 'Extend it', plans: [] },
        { id: 'keep', label: 'Keep it for good', plans: [] },
        { id: 'release', label: '', plans: [undoPlan] },
      ],
      levels: this.#model.settings.levels,
      requester: 'engine',
      onSilence: silenceOnLease(lease),
      standing: true,
    });
    this.#set({ ...state, levelUntil: new Date(lease.until).toISOString() });
  }

  /** People who have voted for a release that a new question now decides are asked there: their votes here no longer count, and they are told so. */
  #takeOver(by: QuestionState): void {
    for (const lease of this.#model.activeLeases) {
      const standing = this.#model.questions.get(standingIdOf(lease.id));
      if (standing?.status.state !== 'open' || !askedElsewhere(standing.question, [by])) continue;
      const ending = standing.votes.filter(({ vote }) => vote.choice === releaseChoice);
      const plan = standing.question.choices.flatMap(({ plans }) => plans)[0];
      if (ending.length === 0 || !plan) continue;
      const names = [...new Set(ending.map(({ vote }) => vote.person))].join(' and ');
      const text = `${names} answered to release this. A new question now decides that, and needs your answer again: ${by.question.text}`;
      this.standing(lease, plan);
      this.#model.record('question.taken-over', 'engine', text, { question: by.question.id, lease: lease.id });
      this.page(text);
    }
  }

  /** A lease was renewed in silence, and the next level is called: from now on it may answer. Previous votes stand. */
  renewed({ id: lease, until, renewals }: Lease): void {
    const state = this.#model.questions.get(`lease:${lease}`);
    if (state?.status.state !== 'open') return;
    const level = Math.max(state.level, levelAtRenewal(state.question.levels, renewals));
    this.#set({ ...state, level, levelUntil: new Date(until).toISOString() });
  }

  /** A destructive step on the target has made the question pointless. */
  voidOn(uid: string, why: string, except: string | undefined): void {
    for (const { question, status } of this.#model.questions.values()) {
      if (status.state !== 'open' || question.id === except) continue;
      // What is still in force must still be decided on: the end of the lease closes its question.
      if (question.id.startsWith('lease:')) continue;
      const about = question.choices.some((choice) => choice.plans.some((plan) => plan.target.uid === uid));
      if (about) this.#void(question.id, why);
    }
  }

  #void(id: string, why: string): void {
    this.#close(id, { state: 'void', why, at: timeNow() }, 'question.void', why);
  }

  closeStanding(leaseId: string, why: string): void {
    const id = `lease:${leaseId}`;
    if (this.#model.questions.get(id)?.status.state === 'open')
      this.#set({ ...this.#get(id), status: { state: 'void', why, at: timeNow() } });
  }

  touchAll(): void {
    for (const [id, card] of this.#cards)
      if (this.#get(id).status.state === 'open') card.touch();
      else if (card.isOutdated) void this.#model.during(card.catchUp()).catch((error: unknown) => this.#cardFailed(id, error));
  }

  /** Cards that still say that something is contained. */
  get carried(): readonly CarriedCard[] {
    return this.#model.activeLeases.length === 0 ? [] : [...this.#cards.values()].slice(-mostCarried).map((card) => card.carried);
  }

  carryOn(cards: readonly CarriedCard[]): void {
    for (const { question, alert } of cards) this.#cardOf(question, alert, { isPosted: true });
  }

  #cardOf(id: string, alert: Alert, place: { readonly isPosted?: true } = {}): CardKeeper {
    const onRefused = (error: unknown): void => this.#cardFailed(id, error);
    const card = new CardKeeper({ model: this.#model, desk: this.#desk, alert, questionId: id, onRefused, ...place });
    this.#cards.set(id, card);
    return card;
  }

  #cardFailed(question: string, error: unknown): void {
    this.#model.record('card.failed', 'engine', stepFailure(error).message, { question });
  }

  /** Handles an accepted vote: what it means for its question. */
  counted({ before, after, by, name, alone }: CountedVote): void {
    const { id } = after.question;
    this.#model.names.set(by, name);
    if (alone) this.#tellAlone(before, name);
    this.#cards.get(id)?.touch();
    if (after.level > before.level) this.#escalate(id, after.level, { why: `${name} said no`, opening: silence.opening });
    if (after.status.state === 'decided') this.#decided(id, after.status.choice, after.status.by);
  }

  /** People who answer what they have triggered themselves do so in public. */
  #tellAlone({ question }: QuestionState, name: string): void {
    const groups = [...new Set(question.levels.map(({ group }) => group))].join(' or ');
    const text = `${name} ordered this and answers alone: nobody else of ${groups} can be asked now`;
    this.#model.record('vote.alone', 'engine', text, { question: question.id });
    this.page(`${text}. ${question.text}`);
  }

  #decided(id: string, choice: string, by: readonly string[]): void {
    const who = by.map((person) => `person/${person}`).join(',');
    const isOfLease = id.startsWith('lease:');
    this.#model.record(
      'question.decided',
      who,
      `${labelIn(this.#get(id).question, choice)}, by ${this.#model.namesOf(by).join(' and ')}`,
      {
        question: id,
        choice,
        by,
        // The question is not recorded when it is asked, but only with its answer.
        ...(isOfLease && { asked: this.#get(id).question }),
      },
    );
    if (!isOfLease) return;
    const proof = proofOf(this.#get(id));
    if (!proof) return;
    const plan = proof.question.choices.find((other) => other.id === choice)?.plans[0];
    // Not awaited: an API server that hangs in an undo must not delay other people's votes.
    void this.#model.during(this.#onLeaseDecided(leaseOfStanding(id), choice, who, { proof, plan }));
  }

  #open(id: string, asked: Asked): QuestionState {
    const state = openQuestion(this.#model, id, asked);
    this.#set(state);
    return state;
  }

  /** A person who comes on call takes over what is open: they are told, and called if the level has a pager. */
  #handedOver(id: string, level: number, group: string, people: readonly string[]): void {
    const names = people.join(' and ');
    this.#model.record('question.handed-over', 'engine', `${names} may answer for ${group} from now on`, { question: id, level });
    this.page(`${names} may answer for ${group} from now on. ${this.#get(id).question.text}`);
  }

  /** @param calledBy the person who called the level in; else it is asked because of `escalation` */
  #escalate(id: string, level: number, { why, opening }: Escalation, calledBy?: string): void {
    const state = this.#get(id);
    const { group } = state.question.levels[level] ?? { group: 'nobody' };
    this.#set({ ...state, level, levelUntil: new Date(nowMs() + timeOf(state, level)).toISOString() });
    // The card is updated with who may answer now: see `waitAtLevel`.
    this.#model.record(
      'question.escalated',
      'engine',
      calledBy ? `${calledBy} called in ${group}` : `${why}: ${group} is asked`,
      {
        question: id,
        level,
      },
    );
    const news = calledBy
      ? `${calledBy} called in ${group}.`
      : state.veto
        ? `${why}: ${group} can overrule it, and is asked now.`
        : `${opening}: ${group} is asked now.`;
    this.page(`${news} ${state.question.text}`);
  }

  /** Asks the next level early, because somebody wants it. Returns the group; undefined if the question is over, or nobody is left. */
  askNext(id: string, actor: string, name: string): string | undefined {
    const state = this.#model.questions.get(id);
    const next = state?.question.levels[state.level + 1];
    if (state?.status.state !== 'open' || !next || !this.#cards.has(id)) return undefined;
    this.#model.record('question.passed-on', actor, `${name} asks ${next.group}`, { question: id });
    this.#escalate(id, state.level + 1, silence, name);
    return next.group;
  }

  #endInSilence(id: string): void {
    const status = silenceOn(this.#get(id), { now: timeNow(), ...this.#model.namedActors });
    if (status.state !== 'decided') {
      this.#close(id, status, 'question.expired', silentText(this.#get(id)));
      return;
    }
    this.#set({ ...this.#get(id), status });
    this.#cards.get(id)?.touch();
    this.#decided(id, status.choice, status.by);
  }

  /** Posts one line in the incident's thread, for people who must know of it. */
  page(text: string): void {
    if (this.#model.settings.observed) return;
    const post = {
      key: `${this.#model.ref.run}/${this.#model.newId()}`,
      incident: {
        ...this.#model.ref,
        title: this.#model.title,
        severity: this.#model.severity,
        cluster: this.#model.subject.cluster,
      },
      text,
    };
    void this.#model
      .during(this.#desk.postInThread(post))
      .catch((error) => this.#model.note('card.failed', 'engine', stepFailure(error).message));
  }

  #close(id: string, status: QuestionState['status'], kind: RecordKind, text: string): void {
    this.#set({ ...this.#get(id), status });
    this.#model.record(kind, 'engine', text, { question: id });
    this.#cards.get(id)?.touch();
  }

  #decision(id: string): Decision {
    const state = this.#get(id);
    const proof = proofOf(state);
    if (!proof || state.status.state !== 'decided') return undefined;
    const { by, answers } = state.status;
    return { question: id, choice: proof.choice, by, proof, ...(answers && { answers }) };
  }

  #get(id: string): QuestionState {
    const state = this.#model.questions.get(id);
    if (!state) throw new Error('a question that was never asked');
    return state;
  }

  #set(state: QuestionState): void {
    this.#model.questions.set(state.question.id, state);
  }
}

function silentText({ question: { containsOnSilence }, heard }: QuestionState): string {
  if (containsOnSilence === undefined) return 'nobody answered: silence is never a yes';
  return heard === undefined
    ? 'nobody answered, and the pod is not contained: the question was not put before people in time'
    : 'nobody answered: the pod is contained';
}
