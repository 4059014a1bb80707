import { imagesLine, signatureOfAlert } from '../../core/action/image-signature.ts';
import type { DeskActivities } from '../../core/action/step.ts';
import type { Alert, ApiRequest } from '../../core/alert/alert.ts';
import { actKindOf } from '../../core/assessment/act-kind.ts';
import { wouldHaveText } from '../../core/assessment/response.ts';
import { endedEffects, heldEffects, type QuestionCard } from '../../core/cards/card.ts';
import type { QuestionPost, QuestionStand } from '../../core/cards/question-card.ts';
import { postureLines } from '../../core/cluster/posture.ts';
import type { SignedVote } from '../../core/decide/approval.ts';
import type { CarriedCard } from '../../core/incident/incident-input.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { condition } from '../world.ts';
import type { IncidentModel } from './model.ts';

export const commandLineLimit = 400;
const mostReasons = 8;

/** People of the levels asked so far. */
function whoMayAnswer({ answerers, level }: QuestionState): Pick<QuestionStand, 'people' | 'requesters'> {
  if (!answerers) return {};
  const { levels, requesters } = answerers;
  return {
    people: [...new Set(levels.slice(0, level + 1).flat())],
    ...(requesters.length > 0 ? { requesters } : {}),
  };
}

/** Fields are copied one by one: nobody is to read its stamp. */
function requestOf({
  account,
  verb,
  resource,
  subresource,
  namespace,
  name,
}: ApiRequest): NonNullable<QuestionCard['happened']['request']> {
  return {
    account,
    verb,
    ...(resource === undefined ? {} : { resource }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}

/** The question, and what else the desk's card shows. The desk reads what each choice is and needs from the question itself. */
export function postOf(model: IncidentModel, state: QuestionState, alert: Alert): QuestionPost {
  const leases = [...model.leases.values()];
  const ended = leases.flatMap(endedEffects);
  const signature = signatureOfAlert(model.images, alert);
  const wouldHave = alert.assessment && wouldHaveText(alert.assessment);
  const act = actKindOf(alert);
  const tactics = alert.mitre.filter((id) => id.startsWith('TA'));
  return {
    question: state.question,
    about: {
      kind: 'incident',
      happened: {
        rule: alert.rule,
        sensor: alert.sensor,
        ...(act && { act }),
        at: alert.time,
        count: model.total,
        ...(alert.doubt === undefined ? {} : { doubt: alert.doubt }),
        ...(alert.pod ? { pod: `${alert.pod.namespace}/${alert.pod.name}` } : {}),
        ...(alert.container?.image ? { image: alert.container.image } : {}),
        ...(signature === undefined ? {} : { signature }),
        ...(wouldHave === undefined ? {} : { wouldHave }),
        ...(alert.assessment ? { reasons: alert.assessment.reasons.slice(0, mostReasons) } : {}),
        ...(alert.facts?.novelty ? { novelty: alert.facts.novelty.text } : {}),
        ...(tactics.length > 0 ? { tactics } : {}),
        ...(alert.rollout ? { rollout: alert.rollout } : {}),
        ...(alert.process?.exe || alert.process?.name ? { process: alert.process.exe ?? alert.process.name ?? '' } : {}),
        ...(alert.process?.user ? { user: alert.process.user } : {}),
        ...(alert.apiRequest ? { request: requestOf(alert.apiRequest) } : {}),
        ...(alert.process?.commandLine ? { commandLine: alert.process.commandLine.slice(0, commandLineLimit) } : {}),
      },
      contained: leases.flatMap((lease) => heldEffects(lease, model.steps.get(lease.stepKey))),
      ...(ended.length > 0 ? { ended } : {}),
      ...(state.answerers?.left ? { left: state.answerers.left } : {}),
      ...(model.posture ? { posture: [...postureLines(model.posture), imagesLine(model.images)] } : {}),
      ...(model.followUp.news ? { ticketNews: model.followUp.news.words } : {}),
      evidence: model.evidence.flatMap((ref) => ref.artefacts.map(({ name, sha256, bytes }) => ({ name, sha256, bytes }))),
    },
    stand: {
      severity: model.severity,
      level: state.level,
      until: state.levelUntil,
      // A person whom an alert names by now has no vote: see `countVote`.
      votes: bareVotes(state.votes.filter(({ vote }) => !model.actors.has(vote.person))),
      ...(state.veto && { veto: state.veto }),
      ...whoMayAnswer(state),
      ...model.namedActors,
      status: state.status,
    },
  };
}

/** Strips the identity provider's tokens, which nobody is to read. */
export function bareVotes(votes: readonly SignedVote[]): readonly SignedVote[] {
  return votes.map(({ vote, keyId, signature }) => ({ vote, keyId, signature }));
}

/**
 * Keeps one question's card up to date: posts it, and edits it when something that it shows has changed. Once it is decided, it is edited only when what was
 * contained has changed or ended. The desk may be down meanwhile; only the incident's end waits for it.
 */
export class CardKeeper {
  readonly #model: IncidentModel;
  readonly #desk: DeskActivities;
  #alert: Alert;
  readonly #onRefused: (error: unknown) => void;
  readonly #id: string;
  #version = 0;
  #isRunning = false;
  /** What the card says about containment. Absent: it was never posted. */
  #holds: string | undefined;

  constructor(options: {
    readonly model: IncidentModel;
    readonly desk: DeskActivities;
    readonly alert: Alert;
    readonly questionId: string;
    readonly onRefused: (error: unknown) => void;
    /** An earlier run of the incident has posted it. */
    readonly isPosted?: true;
  }) {
    this.#model = options.model;
    this.#onRefused = options.onRefused;
    this.#desk = options.desk;
    this.#alert = options.alert;
    this.#id = options.questionId;
    if (options.isPosted) this.#holds = '';
  }

  touch(): void {
    this.#version += 1;
  }

  /** Shows what happened by a worse alert. */
  showAlert(alert: Alert): void {
    this.#alert = alert;
    this.touch();
  }

  get carried(): CarriedCard {
    return { question: this.#id, alert: this.#alert };
  }

  /** Whether the desk has put it before people. */
  get isShown(): boolean {
    return this.#holds !== undefined;
  }

  /** Until the question is over. */
  async run(): Promise<void> {
    this.#isRunning = true;
    try {
      let shown = this.#version;
      const first = this.#post();
      await this.#desk.postQuestion(first);
      this.#holds = holdsOf(first);
      while (this.#isOpen || shown !== this.#version) {
        await condition(() => this.#version !== shown);
        shown = this.#version;
        await this.#update();
      }
      await this.catchUp();
    } finally {
      this.#isRunning = false;
    }
  }

  /** Whether the question is over, and its card still says what was contained then. */
  get isOutdated(): boolean {
    return !this.#isRunning && this.#holds !== undefined && this.#holds !== holdsOf(this.#post());
  }

  /** Edits the card of a question that is over until it says what is contained. */
  async catchUp(): Promise<void> {
    this.#isRunning = true;
    while (this.#holds !== holdsOf(this.#post())) await this.#update();
    this.#isRunning = false;
  }

  /** An edit that Slack rejects for good is recorded, and the next one is still tried. */
  async #update(): Promise<void> {
    const post = this.#post();
    this.#holds = holdsOf(post);
    await this.#desk.updateQuestion(post).catch((error: unknown) => this.#onRefused(error));
  }

  get #state(): QuestionState {
    const state = this.#model.questions.get(this.#id);
    if (!state) throw new Error('a card without its question');
    return state;
  }

  get #isOpen(): boolean {
    return this.#state.status.state === 'open';
  }

  #post(): QuestionPost {
    return postOf(this.#model, this.#state, this.#alert);
  }
}

function holdsOf({ about }: QuestionPost): string {
  return about.kind === 'incident' ? JSON.stringify([about.contained, about.ended]) : '';
}
