import type { DecidedAnswer } from '../../activities/chokepoint/cell.ts';
import { Memory, type MemoryKeeper } from '../../activities/memory/memory.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { answerKeyOf } from '../../core/assessment/stories.ts';
import { type Question, questionDigest } from '../../core/decide/approval.ts';
import { sha256Hex } from '../../core/text/digest.ts';

const retentionMs = 90 * 86_400_000;
const mostKeys = 20_000;
/** More change nothing. */
const mostAnswers = 8;

interface Parts {
  readonly keeper?: MemoryKeeper<readonly string[]> | undefined;
  /** One alert of each kind that a run was told, as this cell remembers. Undefined: not known completely. */
  readonly alertsOf: (incident: string, run: string) => readonly Alert[] | undefined;
  /** Image of the container that an alert is about, by the cluster. */
  readonly imageOf: (alert: Alert) => string | undefined;
  /** People have answered that it is not harmless. */
  readonly onAttack: (alerts: readonly Alert[]) => void;
}

/**
 * How often people answered "harmless" for the same rule, program, image and owner. Only votes that this cell has verified count, one for each question, and only
 * if the incident was about nothing else: who adds another act to an incident teaches nothing. Any other answer to such a question starts the count anew.
 */
export class HarmlessAnswers {
  readonly #parts: Parts;
  /** By digest, so that no words of an attacker are stored: digests of the questions. */
  readonly #questions: Memory<readonly string[]>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#questions = new Memory({ most: mostKeys, retentionMs, keeper: parts.keeper });
  }

  decided(question: Question, { choice }: Pick<DecidedAnswer, 'choice'>, now = Date.now()): void {
    const { choices, incident } = question;
    if (!choices.some(({ harmless }) => harmless)) return;
    const alerts = this.#parts.alertsOf(incident.id, incident.run) ?? [];
    const keys = new Set(alerts.map((alert) => this.#keyOf(alert)));
    if (!choices.find(({ id }) => id === choice)?.harmless) {
      for (const key of keys) if (key !== undefined && this.#questions.get(key)) this.#questions.set(key, [], now);
      this.#parts.onAttack(alerts);
      return;
    }
    const [key] = keys;
    if (key === undefined || keys.size !== 1) return;
    const known = this.#questions.get(key) ?? [];
    const digest = questionDigest(question);
    if (!known.includes(digest) && known.length < mostAnswers) this.#questions.set(key, [...known, digest], now);
  }

  of(alert: Alert): number {
    const key = this.#keyOf(alert);
    return key === undefined ? 0 : (this.#questions.get(key)?.length ?? 0);
  }

  #keyOf(alert: Alert): string | undefined {
    const key = answerKeyOf(alert, this.#parts.imageOf(alert));
    return key === undefined ? undefined : sha256Hex(key);
  }
}
