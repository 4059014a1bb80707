/** Tries the playbooks of a pack for the parent process: one line of JSON for each question and each answer. See `sandboxed.ts`, and `startPackProgram`. */
import { Console } from 'node:console';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { Plan } from '../../core/action/plan.ts';
import { FirebreakError } from '../../core/errors.ts';
import { playedPack } from '../packs/loaded-pack.ts';
import type { FromSandbox, PlannedForSandbox, ToSandbox } from './sandboxed.ts';
import { LocalSimulations, type Simulations } from './simulations.ts';

const [folder = '', main = '', asksForPlans] = process.argv.slice(2);
// Sent among the answers, which are for a program: what a body prints is for people.
const forPeople = new Writable({
  write: (chunk, _, done) => {
    send({ printed: String(chunk).trimEnd() });
    done();
  },
});
globalThis.console = new Console(forPeople, forPeople);

// In production this stops nothing, and is reported.
process.on('unhandledRejection', (reason) => {
  console.error(`a promise that nothing awaits was rejected: ${reason instanceof Error ? reason.message : String(reason)}`);
});

const pack = await playedPack(folder, main);
const plans = new Map<number, PromiseWithResolvers<Partial<Plan>>>();
let plansAsked = 0;
const simulations = new LocalSimulations(pack.playbooks, asksForPlans === undefined ? undefined : planStep);

// Plans for a question arrive while it is being answered.
let answered: Promise<unknown> = Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  const said: ToSandbox = JSON.parse(line);
  if ('planned' in said) takePlan(said);
  else {
    answered = answered.then(async () => {
      if (!send(await answerTo(said.call, said.asked))) await once(process.stdout, 'drain');
    });
    // A bug of ours or of the pack: it ends the process.
    answered.catch((error: unknown) =>
      setImmediate(() => {
        throw error;
      }),
    );
  }
}
await answered;

function planStep(action: string, input: unknown): Promise<Partial<Plan>> {
  plansAsked += 1;
  const waiting = Promise.withResolvers<Partial<Plan>>();
  plans.set(plansAsked, waiting);
  send({ plans: plansAsked, action, input });
  return waiting.promise;
}

function takePlan(said: PlannedForSandbox): void {
  const waiting = plans.get(said.planned);
  plans.delete(said.planned);
  if ('plan' in said) waiting?.resolve(said.plan);
  else waiting?.reject(new FirebreakError(said.error, said.detail));
}

/** Stacks name the author's files by their path in the pack: the folder that this process uses means nothing to anyone. */
function send(said: FromSandbox): boolean {
  return process.stdout.write(`${JSON.stringify(said).replaceAll(`${pathToFileURL(folder).href}/`, '')}\n`);
}

async function answerTo(call: keyof Simulations, asked: unknown): Promise<FromSandbox> {
  try {
    return { value: await Reflect.apply(simulations[call], simulations, [asked]) };
  } catch (error) {
    if (error instanceof FirebreakError) return { error: error.code, detail: error.detail, remedy: error.remedy };
    if (error instanceof TypeError) return { mistake: error.message };
    throw error;
  }
}
