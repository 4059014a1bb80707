import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { type Question, questionDigest } from '../../core/decide/approval.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import { argumentsIn, digestOfAsked, type Message, type Received } from '../../core/messages/message.ts';
import { boundPatterns } from '../packs/turns/linear-patterns.ts';
import type { Speaker } from '../temporal/speaker.ts';
import { workflowThread } from '../temporal/workers.ts';
import { callText, pathOf } from './path.ts';
import { hearErrorsAlone } from './trial.ts';

const { History } = proto.temporal.api.history.v1;

interface Replay {
  /** Path of the workflows' bundle. */
  readonly bundle: string;
  /** For a reader whose keys decrypt the history. */
  readonly workflows: Speaker['workflows'];
  readonly workflowId: string;
  readonly history: unknown;
}

/**
 * Returns which step differs when a history is replayed on a bundle; undefined: none. Temporal compares only the kinds of calls, so what they ask for is
 * compared here. Words and version numbers are not: they decide no path.
 */
export async function differenceOnReplay({ bundle, workflows, workflowId, history }: Replay): Promise<string | undefined> {
  hearErrorsAlone();
  boundPatterns();
  const read = History.fromObject(Object(history));
  const replayed = new ReplayedCalls(workflows.dataConverter, workflowId);
  await replayed.record(read);
  const options = {
    workflowBundle: { codePath: bundle },
    ...workflows,
    dataConverter: { ...workflows.dataConverter, payloadCodecs: [replayed.codec] },
    ...workflowThread,
  };
  let failed: Error | undefined;
  for await (const { error } of Worker.runReplayHistories(options, [{ workflowId, history: read }])) failed = error ?? failed;
  return replayed.difference(failed !== undefined) ?? (failed && differenceIn(failed));
}

/** Extracts what the core found from its long message. */
function differenceIn({ message }: Error): string {
  const found = /Nondeterminism error: ([^"\n]*)/.exec(message)?.[1] ?? message.split('\n')[0] ?? '';
  return found.replaceAll('\\', '').slice(0, 300);
}

interface Call {
  readonly activity: string;
  readonly args: readonly unknown[];
}

/**
 * The calls of a history, and those that its replay makes. An answer counts only for what was asked, word for word. Here the recorded answers are given to
 * the call with the same number, so that a replay with other words goes on. Only this check does that, and nothing comes of its replay.
 */
class ReplayedCalls {
  readonly #codecs: readonly PayloadCodec[];
  readonly #workflowId: string;
  readonly #before = new Map<string, Call>();
  readonly #now = new Map<string, Call>();
  /** By the question's id: its digest now, and those that it had. */
  readonly #asked = new Map<string, { now?: string; readonly before: Set<string> }>();

  constructor({ payloadCodecs = [] }: DataConverter, workflowId: string) {
    this.#codecs = payloadCodecs;
    this.#workflowId = workflowId;
  }

  get codec(): PayloadCodec {
    return {
      // What a replay outputs goes nowhere: it need not be sealed.
      encode: async (payloads) => {
        for (const { data } of payloads) this.#hear(data);
        return payloads;
      },
      decode: async (payloads) => (await this.#opened(payloads)).map((payload) => this.#readdressed(payload)),
    };
  }

  async record({ events }: proto.temporal.api.history.v1.IHistory): Promise<void> {
    for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
      const [payload] = await this.#opened(scheduled?.input?.payloads ?? []);
      const message = payload && messageIn(payload);
      if (!scheduled?.activityId || !message) continue;
      const call = { activity: scheduled.activityType?.name ?? '', args: argumentsIn(message) };
      this.#before.set(scheduled.activityId, call);
      const question = questionIn(call);
      if (question) this.#digestsOf(question.id).before.add(questionDigest(question));
    }
  }

  /** @param isBroken Temporal has found a difference itself: then the first call that was not made is one, too. */
  difference(isBroken: boolean): string | undefined {
    const numbers = [...new Set([...this.#before.keys(), ...this.#now.keys()])].sort((a, b) => Number(a) - Number(b));
    for (const number of numbers) {
      const [before, now] = [this.#before.get(number), this.#now.get(number)];
      if (before && now) {
        if (pathOf(before) !== pathOf(now)) return `${callText(now, before)}, where it was ${callText(before, now)}`;
      } else if (isBroken) {
        return now ? `${callText(now)}, where there was nothing` : before && `nothing, where it was ${callText(before)}`;
      }
    }
    return undefined;
  }

  #opened(payloads: readonly Payload[]): Promise<Payload[]> {
    const context = { type: 'workflow' as const, namespace: 'default', workflowId: this.#workflowId };
    return this.#codecs.reduceRight(async (opened, codec) => codec.decode(await opened, context), Promise.resolve([...payloads]));
  }

  #hear(data: Uint8Array | null | undefined): void {
    const message = parsed<Message>(data);
    if (typeof message?.to !== 'string' || !message.to.startsWith(activityStart) || message.call === undefined) return;
    const call = { activity: message.to.slice(activityStart.length), args: argumentsIn(message) };
    this.#now.set(message.call, call);
    const question = questionIn(call);
    if (question) this.#digestsOf(question.id).now = questionDigest(question);
  }

  #readdressed(payload: Payload): Payload {
    const received = parsed<Received>(payload.data);
    const message = messageIn(payload);
    if (!received || !message) return payload;
    if (message.to === `signal:${incidentNames.voteSignal}`)
      return asPayload(payload, { ...received, value: { ...message, value: this.#votes(argumentsIn(message)) } });
    const now = message.call === undefined ? undefined : this.#now.get(message.call);
    const isAnswer = now && (message.to === `result:${now.activity}` || message.to === `failure:${now.activity}`);
    return isAnswer ? asPayload(payload, { ...received, value: { ...message, asked: digestOfAsked(now.args) } }) : payload;
  }

  /** A vote counts for the words that were shown. One that counted then also counts now. */
  #votes(args: readonly unknown[]): readonly unknown[] {
    return args.map((arg) => {
      const { vote }: { readonly vote?: { readonly question?: string; readonly questionDigest?: string } } = Object(arg);
      const { now, before } = this.#asked.get(vote?.question ?? '') ?? {};
      return now !== undefined && before?.has(vote?.questionDigest ?? '')
        ? { ...Object(arg), vote: { ...vote, questionDigest: now } }
        : arg;
    });
  }

  #digestsOf(question: string): { now?: string; readonly before: Set<string> } {
    const known = this.#asked.get(question) ?? { before: new Set() };
    this.#asked.set(question, known);
    return known;
  }
}

const activityStart = 'activity:';

/** In a card's post, and in the check of a vote or of who may answer. */
function questionIn({ args: [asked] }: Call): Question | undefined {
  const { question }: { readonly question?: Partial<Question> } = Object(asked);
  return typeof question?.id === 'string' ? (question as Question) : undefined;
}

function messageIn({ data }: Payload): Message | undefined {
  const { from, value } = parsed<Received>(data) ?? {};
  const { to }: { readonly to?: unknown } = Object(value);
  return from !== undefined && typeof to === 'string' ? (value as Message) : undefined;
}

function parsed<T>(data: Uint8Array | null | undefined): T | undefined {
  try {
    return data ? JSON.parse(Buffer.from(data).toString()) : undefined;
  } catch {
    return undefined;
  }
}

function asPayload(payload: Payload, received: Received): Payload {
  return { ...payload, data: new TextEncoder().encode(JSON.stringify(received)) };
}
