import { condition } from '@temporalio/workflow';
import type { Alert } from '../core/alert.ts';
import type { SignedVote } from '../core/approval.ts';
import { type ApprovalProof, type Choice, type Level, type Question, questionDigest, quorumOf } from '../core/approval.ts';
import type { QuestionState } from '../core/incident-state.ts';
import type { Lease } from '../core/lease.ts';
import type { Plan } from '../core/plan.ts';
import { countVote, proofOf, saidBy, silenceOn } from '../core/question.ts';
import type { DeskActivities } from '../core/step.ts';
import { needsStepUp } from '../core/step-up.ts';
import { isVoteShaped, replyToOf } from '../core/vote-shape.ts';
import { stepFailure, voteActivities } from './calls.ts';
import { CardKeeper } from './cards.ts';
import { askWho, type Escalation, silence, waitAtLevel } from './levels.ts';
import type { IncidentModel } from './model.ts';

export interface AskedChoice {
  readonly id: string;
  readonly label: string;
  readonly plans: readonly Plan[];
}

export interface AskedQuestion {
  readonly text: string;
  readonly choices: readonly AskedChoice[];
  readonly levels: readonly Level[];
  readonly requester: string;
  readonly onSilence: string;
  readonly alert: Alert;
}

export type Decision =
  | { readonly question: string; readonly choice: string; readonly by: readonly string[]; readonly proof: ApprovalProof }
  | undefined;

/** Questions to people and their answers. Votes are signals: verified one by one, in their order, counted by one reducer. */
export class Questions {
  readonly #model: IncidentModel;
  readonly #desk: DeskActivities;
  readonly #cards = new Map<string, CardKeeper>();
  readonly #incoming: SignedVote[] = [];
  #onLeaseDecided: (
    lease: string,
    choice: string,
    by: string,
    approval: { proof: ApprovalProof; plan: Plan | undefined },
  ) => Promise<void> = async () => undefined;

  constructor(model: IncidentModel, desk: DeskActivities) {
    this.#model = model;
    this.#desk = desk;
  }

  onLeaseDecided(
    handler: (
      lease: string,
      choice: string,
      by: string,
      approval: { proof: ApprovalProof; plan: Plan | undefined },
    ) => Promise<void>,
  ): void {
    this.#onLeaseDecided = handler;
  }

  /** Asks, escalates, and comes back with the decision; undefined is silence, or a question that became void. */
  async ask(asked: AskedQuestion): Promise<Decision> {
    const id = `${this.#model.newId()}-q`;
    const state = this.#open(id, asked);
    this.#model.record('question.asked', asked.requester, asked.text, { question: state.question, digest: state.digest });
    await askWho(this.#model, id);
    const card = new CardKeeper({
      model: this.#model,
      desk: this.#desk,
      alert: asked.alert,
      onSilence: asked.onSilence,
      questionId: id,
    });
    this.#cards.set(id, card);
    // A card that the desk refuses for good must not end the question: the command line still answers it.
    void this.#model
      .during(card.run())
      .catch((error) => this.#model.record('card.failed', 'engine', stepFailure(error).message, { question: id }));
    const isOpen = () => this.#get(id).status.state === 'open';
    let why: Escalation = silence;
    for (let level = 0; level < asked.levels.length && isOpen(); level += 1) {
      // A no, or a person, has asked this level before its time.
      if (this.#get(id).level < level) this.#escalate(id, level, why);
      const withinMs = asked.levels[level]?.withinMs ?? 0;
      why = await waitAtLevel({ model: this.#model, id, level, withinMs, touch: () => card.touch() });
    }
    if (isOpen()) this.#endInSilence(id);
    return this.#decision(id);
  }

  /** One standing question per lease: extend it, keep it for good, or release it. Asked anew after every answer that leaves it in force. */
  standing(lease: Lease, undoPlan: Plan): void {
    const id = `lease:${lease.id}`;
    this.#open(id, {
      text: `${lease.action} on ${lease.target.name} lasts until ${new Date(lease.until).toISOString()} (renewed ${lease.renewals} times)`,
      choices: [
        { id: 'extend', label: 'Extend it', plans: [] },
        { id: 'keep', label: 'Keep it for good', plans: [] },
        { id: 'release', label: 'Release it', plans: [undoPlan] },
      ],
      levels: this.#model.settings.levels,
      requester: 'engine',
    });
  }

  /** A destructive step on the target has made the question pointless. */
  voidOn(uid: string, why: string, except: string | undefined): void {
    for (const { question, status } of this.#model.questions.values()) {
      if (status.state !== 'open' || question.id === except) continue;
      // What is in force stays to be decided on: its own end closes its question.
      if (question.id.startsWith('lease:')) continue;
      const about = question.choices.some((choice) => choice.plans.some((plan) => plan.target.uid === uid));
      if (about) this.#close(question.id, { state: 'void', why, at: new Date().toISOString() }, 'question.void', why);
    }
  }

  closeStanding(leaseId: string, why: string): void {
    const id = `lease:${leaseId}`;
    if (this.#model.questions.get(id)?.status.state === 'open')
      this.#set({ ...this.#get(id), status: { state: 'void', why, at: new Date().toISOString() } });
  }

  touchAll(): void {
    for (const [id, card] of this.#cards) if (this.#get(id).status.state === 'open') card.touch();
  }

  /** Whoever can reach Temporal can send a signal: what has not even the shape of a vote is put on the record, and nothing else. */
  receive(vote: unknown): void {
    if (isVoteShaped(vote)) {
      this.#incoming.push(vote);
      return;
    }
    this.#model.record('vote.refused', 'person/unknown', 'a signal that is no vote');
    this.#answer(replyToOf(vote), 'This is no vote: nothing was decided.');
  }

  get unread(): boolean {
    return this.#incoming.length > 0;
  }

  /** Takes votes one after another, for as long as the incident lives: opposite clicks have exactly one outcome. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#incoming.length > 0);
      const vote = this.#incoming[0];
      if (vote) await this.#model.during(this.#take(vote));
      this.#incoming.shift();
    }
  }

  async #take(signed: SignedVote): Promise<void> {
    const { vote } = signed;
    const state = this.#model.questions.get(vote.question);
    if (!state) return this.#refuse(signed, 'There is no such question in this incident.');
    // A raw signal of somebody with access to Temporal ends here: no signature, no vote.
    const check = await voteActivities(this.#model.settings)
      .verifyVote({ vote: signed, question: state.question, level: state.level, ...this.#model.namedActors })
      .catch(() => undefined);
    if (!check) return this.#refuse(signed, 'The vote could not be checked; please answer again.');
    if (!check.ok) return this.#refuse(signed, check.reason);
    const { severity, namedActors } = this.#model;
    const before = this.#get(vote.question);
    const now = new Date().toISOString();
    const result = countVote(before, signed, { now, severity, level: check.level, ...namedActors });
    if (result.outcome === 'refused') return this.#refuse(signed, result.reply);
    if (result.outcome === 'repeated') return this.#answer(signed.replyTo, result.reply);
    this.#set(result.state);
    this.#model.record('vote.accepted', `person/${vote.person}`, saidBy(check.name, vote), {
      vote: signed.vote,
      keyId: signed.keyId,
      signature: signed.signature,
      ...(check.signIn ? { signIn: check.signIn } : {}),
    });
    this.#answer(signed.replyTo, result.reply);
    if (check.alone) this.#tellAlone(before, check.name);
    this.#cards.get(vote.question)?.touch();
    if (result.state.level > before.level)
      this.#escalate(vote.question, result.state.level, { why: `${check.name} said no`, opening: silence.opening });
    if (result.state.status.state === 'decided') this.#decided(vote.question, result.state.status.choice, result.state.status.by);
  }

  /** Whoever answers what they have set off themselves does it before everybody's eyes. */
  #tellAlone({ question }: QuestionState, name: string): void {
    const groups = [...new Set(question.levels.map(({ group }) => group))].join(' or ');
    const text = `${name} has ordered this, and answers alone: nobody else of ${groups} can be asked now`;
    this.#model.record('vote.alone', 'engine', text, { question: question.id });
    this.page(`${text}. ${question.text}`);
  }

  #decided(id: string, choice: string, by: readonly string[]): void {
    const who = by.map((person) => `person/${person}`).join(',');
    this.#model.record('question.decided', who, `${choice}, by ${by.join(' and ')}`, { question: id });
    if (!id.startsWith('lease:')) return;
    const proof = proofOf(this.#get(id));
    if (!proof) return;
    const plan = proof.question.choices.find((other) => other.id === choice)?.plans[0];
    // Not awaited: an API server that hangs in an undo must not keep other people's votes waiting.
    void this.#model.during(this.#onLeaseDecided(id.slice('lease:'.length), choice, who, { proof, plan }));
  }

  #refuse(signed: SignedVote, reason: string): void {
    const { vote } = signed;
    this.#model.record('vote.refused', `person/${vote.person}`, reason, {
      question: vote.question,
      choice: vote.choice,
      via: vote.via,
      vote: vote.id,
    });
    this.#answer(signed.replyTo, reason);
  }

  #answer(replyTo: SignedVote['replyTo'], text: string): void {
    if (!replyTo) return;
    void this.#model
      .during(this.#desk.answerClick({ ...replyTo, text }))
      .catch((error) => this.#model.note('card.failed', 'engine', stepFailure(error).message));
  }

  #open(id: string, asked: Omit<AskedQuestion, 'alert' | 'onSilence'>): QuestionState {
    const { severity, settings } = this.#model;
    const { protectedNamespaces, stepUp } = settings;
    const choices: readonly Choice[] = asked.choices.map((choice) => ({
      ...choice,
      ...(stepUp && needsStepUp({ plans: choice.plans, severity }, stepUp) ? { stepUp: true as const } : {}),
      quorum: quorumOf({ plans: choice.plans, severity, incident: this.#model.ref.id, protectedNamespaces }),
    }));
    const question: Question = {
      id,
      incident: this.#model.ref,
      severity,
      text: asked.text,
      choices,
      levels: asked.levels,
      requester: asked.requester,
      ...this.#model.namedActors,
      ...this.#model.namedRequesters,
    };
    const now = Date.now();
    const state: QuestionState = {
      question,
      digest: questionDigest(question),
      status: { state: 'open' },
      votes: [],
      level: 0,
      levelUntil: new Date(now + (asked.levels[0]?.withinMs ?? 0)).toISOString(),
      askedAt: new Date(now).toISOString(),
      plans: choices.flatMap((choice) => choice.plans),
    };
    this.#set(state);
    return state;
  }

  #escalate(id: string, level: number, { why, opening }: Escalation): void {
    const state = this.#get(id);
    const { group, withinMs } = state.question.levels[level] ?? { group: 'nobody', withinMs: 0 };
    this.#set({ ...state, level, levelUntil: new Date(Date.now() + withinMs).toISOString() });
    this.#model.record('question.escalated', 'engine', `${why}: ${group} is asked`, { question: id, level });
    this.#cards.get(id)?.touch();
    const news = state.veto ? `${why}: ${group} can overrule it, and is asked now.` : `${opening}: ${group} is asked now.`;
    this.page(`${news} ${state.question.text}`);
  }

  /** Before its time, because somebody wants it. Returns the group; undefined where the question is over, or nobody is left. */
  askNext(id: string, actor: string, name: string): string | undefined {
    const state = this.#model.questions.get(id);
    const next = state?.question.levels[state.level + 1];
    if (state?.status.state !== 'open' || !next || !this.#cards.has(id)) return undefined;
    this.#model.record('question.passed-on', actor, `${name} asks ${next.group}`, { question: id });
    this.#escalate(id, state.level + 1, { why: `${name} asked for it`, opening: `${name} asked for it` });
    return next.group;
  }

  #endInSilence(id: string): void {
    const status = silenceOn(this.#get(id), { now: new Date().toISOString(), ...this.#model.namedActors });
    if (status.state !== 'decided') {
      this.#close(id, status, 'question.expired', 'nobody answered: silence is never yes');
      return;
    }
    this.#set({ ...this.#get(id), status });
    this.#cards.get(id)?.touch();
    this.#decided(id, status.choice, status.by);
  }

  /** One line in the incident's thread, for people who must hear of it. */
  page(text: string): void {
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

  #close(id: string, status: QuestionState['status'], kind: string, text: string): void {
    this.#set({ ...this.#get(id), status });
    this.#model.record(kind, 'engine', text, { question: id });
    this.#cards.get(id)?.touch();
  }

  #decision(id: string): Decision {
    const state = this.#get(id);
    const proof = proofOf(state);
    if (!proof || state.status.state !== 'decided') return undefined;
    return { question: id, choice: proof.choice, by: state.status.by, proof };
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
