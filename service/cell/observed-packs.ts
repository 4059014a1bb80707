import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { DecidedAnswer, IncidentListener } from '../../activities/chokepoint/cell.ts';
import { Memory, type MemoryKeeper } from '../../activities/memory/memory.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { Question } from '../../core/decide/approval.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { IncidentNote, IncidentRef } from '../../core/incident/incident.ts';
import { type ActivePromotion, type PromotionTerms, promotedOf, releaseText } from '../../core/orders/promotion.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { Box } from '../../integrations/crypto-box/box.ts';
import { targetText } from '../../workflows/steps/step-data.ts';
import type { IncidentGateway } from '../intake/send/incident-gateway.ts';
import type { Observation, ObservedAnswer, ObservedOutput } from '../packs/observe-main.ts';
import { rememberObserved } from '../packs/observed.ts';
import type { PackFiles } from '../packs/pack-files.ts';
import { runPackProgram } from '../packs/pack-program.ts';
import { packFaults } from '../packs/pack-rules.ts';
import { envelopesOf, orderedRelease, type Releases } from '../packs/promotion.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { RepeatedTrouble } from '../temporal/repeated-trouble.ts';

const seenSchema = z
  .array(
    z.object({
      playbook: z.string().max(100),
      outcome: z.string(),
      asks: z.array(z.string()).max(100),
      answered: z.array(z.string()).max(100),
      failed: z.array(z.string()).max(100),
      given: z.array(z.string()).max(100),
    }),
  )
  .max(500);

/** Maximum alerts waiting; more are dropped: in a storm alerts are much alike. */
const mostWaiting = 50;
const longestOutcome = 600;
const longestAnswer = 200;
const mostAnswers = 20;
const mostOutputs = 50;
/** Length as JSON. Longer outputs are left out: the simulation makes one up. */
const longestOutput = 16_384;
/** Maximum per run of an incident. */
const mostTried = 20;
/** Incidents for which the tries and their outcomes are remembered. */
const mostIncidents = 200;
const retentionMs = 30 * 86_400_000;
/** The simulated engine raises its own refusals again if they still apply; for a warrant that is too old it asks again. */
const ownRefusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FB_ERR_ASK_FIRST',
  'FB_ERR_APPROVAL_INVALID',
  'FB_ERR_EVIDENCE_PENDING',
  'FB_ERR_WARRANT_OUTDATED',
]);

interface ObservedPacksOptions {
  readonly packs: readonly string[];
  readonly promotions: () => readonly ActivePromotion[];
  readonly releases: () => Promise<Releases>;
  /** The running playbooks: they determine which alerts nobody answers, and are left for a playbook that handles those. */
  readonly running: readonly AnyPlaybook[];
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  /** Whether tickets can be filed. */
  readonly hasTickets: boolean;
  readonly note: (incident: string, note: IncidentNote) => Promise<void>;
  /** Keeps what was heard beyond the life of the process: sealed, since it contains alerts and what steps have found. */
  readonly keeper?: MemoryKeeper<Uint8Array>;
  readonly box: Box;
  readonly stateDir: string;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

interface LoadedRelease {
  readonly files: PackFiles;
  readonly playbooks: readonly AnyPlaybook[];
  /** Together with the playbooks that run next to them. */
  readonly among: readonly AnyPlaybook[];
}

/** An alert that playbooks of an observed version answer. */
interface Tried {
  readonly alert: Alert;
  /** Integrity of the version. */
  readonly integrity: string;
  /** Playbooks that were not yet tried with a similar alert. */
  readonly playbooks: readonly string[];
  /** Actions that they use. */
  readonly uses: readonly string[];
  /** The last reported outcome, by playbook. Absent: waiting for its first try. */
  said?: Readonly<Record<string, string>>;
}

/** What a run of an incident has produced so far, as found out by this cell itself or signed by a pool. */
interface Heard {
  run?: string;
  /** By question. */
  readonly answers: (ObservedAnswer & { readonly question: string })[];
  readonly failures: { readonly name: string; readonly code: ErrorCode }[];
  readonly outputs: ObservedOutput[];
  readonly tried: Tried[];
}

interface Waiting {
  readonly incident: string;
  readonly heard: Heard;
  readonly tried: Tried;
}

/**
 * Pack versions under observation. A simulation finds out what they would do about incoming alerts, in a process that may read only their code and Firebreak's.
 * No build contains them, and none of their steps is ever requested. The incident gets one line for each playbook, and another whenever people's decisions,
 * failures or step outputs change the outcome. All of that survives the process.
 */
export class ObservedPacks implements IncidentListener {
  readonly #options: ObservedPacksOptions;
  readonly #now: () => number;
  readonly #loaded = new LRUCache<string, Promise<LoadedRelease>>({
    max: 10,
  });
  readonly #kept: Memory<Uint8Array>;
  /** Stored data, opened. */
  readonly #heard = new LRUCache<string, Heard>({ max: mostIncidents });
  readonly #trouble = new RepeatedTrouble();
  /** What the previous process left untried. */
  #left: Waiting[];
  #waiting: Waiting[] = [];
  /** Resolves without a value: results would otherwise be kept for as long as the process lives. */
  #work: Promise<void> = Promise.resolve();
  #isAtWork = false;

  constructor(options: ObservedPacksOptions) {
    const { keeper, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#kept = new Memory({ most: mostIncidents, retentionMs, keeper });
    this.#left = [...this.#kept.entries()].flatMap(([incident]) => {
      const heard = this.#of(incident);
      return heard?.tried.flatMap((tried) => (tried.said ? [] : [{ incident, heard, tried }])) ?? [];
    });
  }

  /** Wraps the gateway and looks at each alert after it has passed: observation delays nothing. */
  watching(gateway: IncidentGateway): IncidentGateway {
    return {
      start: async (id, start, options) => {
        const result = await gateway.start(id, start, options);
        if (result.kind === 'started') {
          this.#heard.delete(id);
          this.#kept.delete(id);
          this.hears(id, start.batch.alerts);
        }
        return result;
      },
      signal: async (id, batch) => {
        const result = await gateway.signal(id, batch);
        if (result.kind === 'signalled') this.hears(id, batch.alerts);
        return result;
      },
      note: (id, note) => gateway.note(id, note),
    };
  }

  hears(incident: string, alerts: readonly Alert[]): void {
    const observed = this.#observed();
    if (observed.length === 0) return;
    // People's decisions, and results of steps, may arrive before the first try.
    const heard = this.#of(incident) ?? { answers: [], failures: [], outputs: [], tried: [] };
    this.#heard.set(incident, heard);
    for (const terms of observed) this.#after(this.#answered({ incident, heard, alerts, terms }), terms);
    this.#begin();
  }

  decided({ id, text, incident }: Question, { choice, level, form }: DecidedAnswer): void {
    const heard = this.#heardOf(incident);
    const place = heard?.answers.findIndex(({ question }) => question === id) ?? -1;
    if (!heard || heard.answers[place]?.choice === choice || (place < 0 && heard.answers.length >= mostAnswers)) return;
    heard.answers.splice(place < 0 ? heard.answers.length : place, 1, {
      question: id,
      text,
      choice,
      level,
      ...(form && { form }),
    });
    this.#again(incident.id, heard);
  }

  failed({ incident, action }: Pick<StepCall, 'incident' | 'action'>, what: 'plan' | 'apply' | 'undo', code: ErrorCode): void {
    const heard = this.#heardOf(incident);
    const name = what === 'apply' ? action : `${action}.${what}`;
    if (!heard || ownRefusals.has(code) || heard.failures.some((one) => one.name === name)) return;
    heard.failures.push({ name, code });
    this.#again(incident.id, heard, action);
  }

  done({ incident, action, input }: Pick<StepCall, 'incident' | 'action' | 'input'>, output: unknown): void {
    const heard = this.#heardOf(incident);
    if (!heard || !isObject(output) || heard.outputs.length >= mostOutputs) return;
    const given = { action, target: targetText(input), output };
    const text = JSON.stringify(given);
    if (text.length > longestOutput || heard.outputs.some((one) => JSON.stringify(one) === text)) return;
    heard.outputs.push(given);
    this.#again(incident.id, heard, action);
  }

  /** Undefined if no observed version was tried in it. */
  #heardOf({ id, run }: IncidentRef): Heard | undefined {
    const heard = this.#of(id);
    if (heard) heard.run ??= run;
    return heard?.run === run ? heard : undefined;
  }

  #of(incident: string): Heard | undefined {
    const known = this.#heard.get(incident);
    const kept = known ? undefined : this.#kept.get(incident);
    if (!kept) return known;
    try {
      const heard: Heard = JSON.parse(Buffer.from(this.#options.box.open(kept, aadOf(incident))).toString());
      this.#heard.set(incident, heard);
      return heard;
    } catch {
      // The sealing key is gone: recording starts again.
      this.#kept.delete(incident);
      return undefined;
    }
  }

  #keep(incident: string, heard: Heard): void {
    // It was restarted meanwhile.
    if (this.#heard.peek(incident) !== heard) return;
    this.#kept.set(incident, this.#options.box.seal(Buffer.from(JSON.stringify(heard)), aadOf(incident)), this.#now());
  }

  /** @param action the action with a new result; absent: there is a new answer */
  #again(incident: string, heard: Heard, action?: string): void {
    this.#keep(incident, heard);
    for (const tried of heard.tried)
      if (action === undefined || tried.uses.includes(action)) this.#wait({ incident, heard, tried });
    this.#begin();
  }

  #wait(waiting: Waiting): void {
    const { tried } = waiting;
    if (this.#waiting.length < mostWaiting && !this.#waiting.some((one) => one.tried === tried)) this.#waiting.push(waiting);
  }

  /** Queues alerts that a version's playbooks answer, unless a similar alert was already tried. */
  async #answered(of: {
    readonly incident: string;
    readonly heard: Heard;
    readonly alerts: readonly Alert[];
    readonly terms: PromotionTerms;
  }): Promise<void> {
    const { incident, heard, alerts, terms } = of;
    const { integrity } = terms;
    const { playbooks, among } = await this.#load(terms);
    let isNew = false;
    for (const alert of alerts) {
      if (this.#waiting.length >= mostWaiting) break;
      const answer = answering(among, alert).filter((one) => playbooks.includes(one));
      if (answer.length === 0) continue;
      const alike = heard.tried.filter((one) => one.integrity === integrity && isAlike(one.alert, alert));
      // A failed try is repeated with the next similar alert.
      for (const tried of alike) if (!tried.said) this.#wait({ incident, heard, tried });
      const fresh = answer.filter(({ id }) => !alike.some((one) => one.playbooks.includes(id)));
      if (fresh.length === 0 || heard.tried.length >= mostTried) continue;
      const uses = fresh.flatMap((one) => Object.values(one.uses).map(({ name }) => name));
      const tried: Tried = { alert, integrity, playbooks: fresh.map(({ id }) => id), uses };
      heard.tried.push(tried);
      isNew = true;
      this.#wait({ incident, heard, tried });
    }
    if (isNew) this.#keep(incident, heard);
    this.#begin();
  }

  #after(work: Promise<void>, terms: PromotionTerms): void {
    this.#goOn(work.catch((error: unknown) => this.#couldNot(terms, error)));
  }

  /** Continues with what the previous process left, once it is known what is observed. */
  resume(): void {
    this.#begin();
  }

  #begin(): void {
    if (this.#left.length > 0 && this.#observed().length > 0) {
      for (const one of this.#left) this.#wait(one);
      this.#left = [];
    }
    if (this.#isAtWork || this.#waiting.length === 0) return;
    this.#isAtWork = true;
    this.#goOn(this.#run());
  }

  #goOn(work: Promise<void>): void {
    this.#work = this.#work.then(() => work);
  }

  /** Resolves when nothing is waiting. */
  async idle(): Promise<void> {
    for (let work: Promise<void> | undefined; work !== this.#work; ) {
      work = this.#work;
      await work;
    }
  }

  #observed(): readonly PromotionTerms[] {
    const { packs, promotions } = this.#options;
    const terms = packs.length === 0 ? [] : promotions().map((one) => one.terms);
    return terms.length === 0 ? [] : packs.flatMap((pack) => promotedOf(pack, terms, this.#now()).observed ?? []);
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { integrity } = next.tried;
      // Its order may have expired by now.
      const terms = this.#observed().find((one) => one.integrity === integrity);
      if (terms) await this.#observe(next, terms).catch((error: unknown) => this.#couldNot(terms, error));
    }
    this.#isAtWork = false;
  }

  #couldNot(terms: PromotionTerms, error: unknown): void {
    const reason = error instanceof Error ? error.message.slice(0, 300) : reasonOf(error);
    const said = this.#trouble.met(reason);
    if (said) this.#options.log.warn({ pack: releaseText(terms), reason, ...said }, 'cannot try the observed version of a pack');
  }

  async #observe({ incident, heard, tried }: Waiting, terms: PromotionTerms): Promise<void> {
    const { params, hasTickets, note, stateDir } = this.#options;
    const { alert, playbooks, said: before } = tried;
    const { files } = await this.#load(terms);
    const observation: Observation = {
      alert,
      playbooks,
      params,
      answers: heard.answers,
      failures: Object.fromEntries(heard.failures.map(({ name, code }) => [name, code])),
      outputs: heard.outputs,
      hasTickets,
    };
    const told = seenSchema.parse(JSON.parse(await runPackProgram(files, 'service/packs/observe-main', observation)));
    const news = told.flatMap((one) => {
      const outcome = one.outcome.slice(0, longestOutcome);
      const said = `${one.answered.join()} ${one.failed.join()} ${outcome}`;
      return playbooks.includes(one.playbook) && before?.[one.playbook] !== said ? [{ ...one, outcome, said }] : [];
    });
    for (const { playbook, outcome, asks, answered, failed, given, said } of news) {
      const at = new Date(this.#now()).toISOString();
      const known = { answered, failed, given };
      const rest = Object.fromEntries(Object.entries(known).filter(([, listed]) => listed.length > 0));
      rememberObserved(stateDir, terms, { at, incident, rule: alert.rule, playbook, outcome, asks, ...rest });
      const questions = asks.length === 0 ? '' : `; it would ask ${asks.length === 1 ? 'once' : `${asks.length} times`}`;
      const under = circumstances(known);
      await note(incident, {
        id: sha256Hex(`${incident} ${terms.integrity} ${alert.id} ${playbook} ${before ? said : ''}`).slice(0, 32),
        kind: 'pack.observed',
        text: `${releaseText(terms)} is only observed and has done nothing. ${under}, ${playbook} would result in: ${outcome}${questions}`,
        about: playbook,
      });
    }
    tried.said = { ...before, ...Object.fromEntries(news.map(({ playbook, said }) => [playbook, said])) };
    this.#keep(incident, heard);
  }

  #load(terms: PromotionTerms): Promise<LoadedRelease> {
    const known = this.#loaded.get(terms.integrity);
    if (known) return known;
    const loading = (async (): Promise<LoadedRelease> => {
      const release = await orderedRelease(await this.#options.releases(), terms);
      const [fault] = packFaults(release.files);
      if (fault) throw new Error(`${fault.file}:${fault.line}: ${fault.problem}`);
      const playbooks = envelopesOf(release);
      // As if it ran in place of the current version.
      const others = this.#options.running.filter(({ id }) => !id.startsWith(`${terms.pack}/`));
      return { files: release.files, playbooks, among: [...playbooks, ...others] };
    })();
    this.#loaded.set(terms.integrity, loading);
    // Retried with the next alert.
    loading.catch(() => this.#loaded.delete(terms.integrity));
    return loading;
  }
}

/** Whether trying both alerts would have the same outcome. */
function isAlike(one: Alert, other: Alert): boolean {
  return one.rule === other.rule && one.pod?.uid === other.pod?.uid;
}

function aadOf(incident: string): string {
  return `observed ${incident}`;
}

function circumstances({
  answered,
  failed,
  given,
}: {
  readonly answered: readonly string[];
  readonly failed: readonly string[];
  readonly given: readonly string[];
}): string {
  const giving = given.length === 0 ? '' : ` and ${given.join(' and ')} returning what it returned here`;
  const failing = `${failed.length === 0 ? '' : ` and ${failed.join(' and ')} failing as it did here`}${giving}`;
  if (answered.length === 0) return `With nobody answering${failing}`;
  return `With the answers that people gave (${answered.map((one) => one.slice(0, longestAnswer)).join(', ')})${failing}`;
}
