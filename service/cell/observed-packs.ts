import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { DecidedAnswer, IncidentListener } from '../../activities/chokepoint/cell.ts';
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
import type { IncidentGateway } from '../intake/send/incident-gateway.ts';
import type { Observation, ObservedAnswer } from '../packs/observe-main.ts';
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
    }),
  )
  .max(500);

/** What waits is dropped beyond that: in a storm one alert is like another. */
const mostWaiting = 50;
const longestOutcome = 600;
const longestAnswer = 200;
const mostAnswers = 20;
const mostTried = 20;
/** Incidents of which it is remembered what was tried, and what people have said. */
const mostIncidents = 200;
/** Its own refusals the engine makes again, where it is the same. */
const ownRefusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FB_ERR_ASK_FIRST',
  'FB_ERR_APPROVAL_INVALID',
  'FB_ERR_EVIDENCE_PENDING',
]);

interface ObservedPacksOptions {
  readonly packs: readonly string[];
  readonly promotions: () => readonly ActivePromotion[];
  readonly releases: () => Promise<Releases>;
  /** What runs: it says which alerts are left for a playbook of what nobody answers. */
  readonly running: readonly AnyPlaybook[];
  readonly params: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  readonly note: (incident: string, note: IncidentNote) => Promise<void>;
  readonly stateDir: string;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

interface LoadedRelease {
  readonly files: PackFiles;
  readonly playbooks: readonly AnyPlaybook[];
  /** With those that run beside them. */
  readonly among: readonly AnyPlaybook[];
}

interface Waiting {
  readonly incident: string;
  readonly alert: Alert;
  readonly terms: PromotionTerms;
}

/** What a run of an incident has come to so far, as this cell has found out itself. */
interface Heard {
  run?: string;
  /** By question. */
  readonly answers: Map<string, ObservedAnswer>;
  readonly failures: Map<string, ErrorCode>;
  /** What is observed answers these. */
  readonly tried: Waiting[];
}

/**
 * Versions of packs that are observed: what they would do about the alerts that come is found out in a simulation, by a process that may read their code and Firebreak's, and nothing
 * else; no build has them, and no step of theirs is ever asked for. One line in the incident for each playbook, and another whenever what people have decided, or
 * what has failed, makes it come to something else.
 */
export class ObservedPacks implements IncidentListener {
  readonly #options: ObservedPacksOptions;
  readonly #now: () => number;
  readonly #loaded = new LRUCache<string, Promise<LoadedRelease>>({
    max: 10,
  });
  readonly #done = new LRUCache<string, true>({ max: 10_000 });
  readonly #heard = new LRUCache<string, Heard>({ max: mostIncidents });
  /** What was said last. */
  readonly #said = new LRUCache<string, string>({ max: 10_000 });
  readonly #trouble = new RepeatedTrouble();
  #waiting: Waiting[] = [];
  #work: Promise<void> = Promise.resolve();
  #isAtWork = false;

  constructor(options: ObservedPacksOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The gateway, with each alert that went through it looked at afterwards: what is observed delays nothing. */
  watching(gateway: IncidentGateway): IncidentGateway {
    return {
      start: async (id, start, options) => {
        const result = await gateway.start(id, start, options);
        if (result.kind === 'started') {
          this.#heard.delete(id);
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
    // What people decide, and what fails, may come before the first has been tried.
    if (observed.length > 0 && !this.#heard.has(incident))
      this.#heard.set(incident, { answers: new Map(), failures: new Map(), tried: [] });
    for (const terms of observed)
      for (const alert of alerts) if (this.#waiting.length < mostWaiting) this.#waiting.push({ incident, alert, terms });
    this.#begin();
  }

  decided({ id, text, incident }: Question, { choice, level, form }: DecidedAnswer): void {
    const heard = this.#heardOf(incident);
    const before = heard?.answers.get(id);
    if (!heard || before?.choice === choice || (!before && heard.answers.size >= mostAnswers)) return;
    heard.answers.set(id, { text, choice, level, ...(form && { form }) });
    this.#again(heard);
  }

  failed({ incident, action }: Pick<StepCall, 'incident' | 'action'>, what: 'plan' | 'apply' | 'undo', code: ErrorCode): void {
    const heard = this.#heardOf(incident);
    const name = what === 'apply' ? action : `${action}.${what}`;
    if (!heard || ownRefusals.has(code) || heard.failures.has(name)) return;
    heard.failures.set(name, code);
    this.#again(heard);
  }

  /** Undefined where nothing of what is observed was tried in it. */
  #heardOf({ id, run }: IncidentRef): Heard | undefined {
    const heard = this.#heard.get(id);
    if (heard) heard.run ??= run;
    return heard?.run === run ? heard : undefined;
  }

  #again({ tried }: Heard): void {
    for (const one of tried) if (this.#waiting.length < mostWaiting && !this.#waiting.includes(one)) this.#waiting.push(one);
    this.#begin();
  }

  #begin(): void {
    if (this.#isAtWork || this.#waiting.length === 0) return;
    this.#isAtWork = true;
    this.#work = this.#run();
  }

  /** Resolves when nothing waits. */
  idle(): Promise<void> {
    return this.#work;
  }

  #observed(): readonly PromotionTerms[] {
    const { packs, promotions } = this.#options;
    const terms = packs.length === 0 ? [] : promotions().map((one) => one.terms);
    return terms.length === 0 ? [] : packs.flatMap((pack) => promotedOf(pack, terms, this.#now()).observed ?? []);
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#observe(next);
      } catch (error) {
        const reason = error instanceof Error ? error.message.slice(0, 300) : reasonOf(error);
        const said = this.#trouble.met(reason);
        if (said)
          this.#options.log.warn({ pack: releaseText(next.terms), reason, ...said }, 'what is observed could not be tried');
      }
    }
    this.#isAtWork = false;
  }

  async #observe(waiting: Waiting): Promise<void> {
    const { incident, alert, terms } = waiting;
    const { params, note, stateDir } = this.#options;
    // Its order may be over by now.
    if (!this.#observed().some(({ integrity }) => integrity === terms.integrity)) return;
    const { files, playbooks, among } = await this.#load(terms);
    const answer = answering(among, alert).filter((one) => playbooks.includes(one));
    const keyOf = (id: string): string => `${incident} ${terms.integrity} ${alert.pod?.uid ?? ''} ${alert.rule} ${id}`;
    const known = this.#heard.get(incident);
    const isAgain = known?.tried.includes(waiting) === true;
    const ids = answer.map(({ id }) => id).filter((id) => isAgain || !this.#done.has(keyOf(id)));
    if (ids.length === 0) return;
    const observation: Observation = {
      alert,
      playbooks: ids,
      params,
      answers: [...(known?.answers.values() ?? [])],
      failures: Object.fromEntries(known?.failures ?? []),
    };
    const told = seenSchema.parse(JSON.parse(await runPackProgram(files, 'service/packs/observe-main', observation)));
    // What failed is tried again with the next alert like it.
    for (const id of ids) this.#done.set(keyOf(id), true);
    if (known && !isAgain && known.tried.length < mostTried) known.tried.push(waiting);
    for (const { playbook, outcome, asks, answered, failed } of told) {
      const would = outcome.slice(0, longestOutcome);
      const said = `${answered.join()} ${failed.join()} ${would}`;
      if (!ids.includes(playbook) || this.#said.get(keyOf(playbook)) === said) continue;
      this.#said.set(keyOf(playbook), said);
      const at = new Date(this.#now()).toISOString();
      const rest = { ...(answered.length > 0 && { answered }), ...(failed.length > 0 && { failed }) };
      rememberObserved(stateDir, terms, { at, incident, rule: alert.rule, playbook, outcome: would, asks, ...rest });
      const questions = asks.length === 0 ? '' : `; it asks ${asks.length === 1 ? 'once' : `${asks.length} times`}`;
      const under = circumstances({ answered, failed });
      await note(incident, {
        id: sha256Hex(`${incident} ${terms.integrity} ${alert.id} ${playbook} ${isAgain ? said : ''}`).slice(0, 32),
        kind: 'pack.observed',
        text: `${releaseText(terms)} is observed, and has done nothing. ${under} ${playbook} would come to: ${would}${questions}`,
        about: playbook,
      });
    }
  }

  #load(terms: PromotionTerms): Promise<LoadedRelease> {
    const known = this.#loaded.get(terms.integrity);
    if (known) return known;
    const loading = (async (): Promise<LoadedRelease> => {
      const release = await orderedRelease(await this.#options.releases(), terms);
      const [fault] = packFaults(release.files);
      if (fault) throw new Error(`${fault.file}:${fault.line}: ${fault.problem}`);
      const playbooks = envelopesOf(release);
      // As if it ran in place of the version that does.
      const others = this.#options.running.filter(({ id }) => !id.startsWith(`${terms.pack}/`));
      return { files: release.files, playbooks, among: [...playbooks, ...others] };
    })();
    this.#loaded.set(terms.integrity, loading);
    // Tried anew with the next alert.
    loading.catch(() => this.#loaded.delete(terms.integrity));
    return loading;
  }
}

function circumstances({
  answered,
  failed,
}: {
  readonly answered: readonly string[];
  readonly failed: readonly string[];
}): string {
  const failing = failed.length === 0 ? '' : ` and ${failed.join(' and ')} failing as here`;
  if (answered.length === 0) return `With nobody answering${failing}`;
  return `As people have answered (${answered.map((one) => one.slice(0, longestAnswer)).join(', ')})${failing}`;
}
