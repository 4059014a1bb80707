import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { SignInReader } from '../../../activities/chokepoint/parts.ts';
import type { QuestionCard } from '../../../core/cards/card.ts';
import type { Vote } from '../../../core/decide/approval.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import { type StepUpDecision, stepUpDecisions, stepUpNonce } from '../../../core/decide/step-up.ts';
import type { EndDecision, SignedEnd } from '../../../core/orders/order.ts';
import { endDigest, type RestraintTerms } from '../../../core/orders/restraint.ts';
import type { SuppressionTerms } from '../../../core/orders/suppression.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import { SignInMemory } from '../../../service/cell/control/sign-in-memory.ts';
import { createSignInReader } from '../../../service/process/sign-ins.ts';
import {
  beliefsAt,
  type ControlLab,
  dayMs,
  roster as harnessRoster,
  noisyAlert,
  type RunningControl,
  signedOrder,
  startControlLab,
  termsOf,
} from '../control/control-harness.ts';

const [issuer, clientId] = ['https://login.example.com', 'firebreak'];
const folder = mkdtempSync(join(tmpdir(), 'firebreak-decision-sign-ins-'));
const roster: Roster = {
  ...harnessRoster,
  people: harnessRoster.people.map((person) => ({ ...person, subject: `sub-${person.id}` })),
};
const log = { info: () => {}, warn: () => {} };
const cellKey = new Uint8Array(32).fill(7);
let lab: ControlLab;
let control: RunningControl;
let provider: CryptoKey;
let reader: SignInReader;
/** What the cell believes to be in force. */
let book: DecisionBook;

function readerOf(jwksFile: string, decisions: readonly StepUpDecision[]): SignInReader {
  const stepUp = { issuer, clientId, publicUrl: 'https://desk.example.com', maxAgeMinutes: 5, jwksFile };
  const made = createSignInReader({
    stepUp: { ...stepUp, reaches: ['namespace', 'node', 'cluster'], decisions: [...decisions] },
  });
  if (!made) throw new Error('a provider is configured');
  return made;
}

/** A file with the provider's public keys, for a cell that cannot reach the provider. */
async function keysFile(name: string, ...keys: readonly CryptoKey[]): Promise<string> {
  const file = join(folder, name);
  const jwks = await Promise.all(keys.map(async (key, index) => ({ ...(await exportJWK(key)), kid: `k${index}`, alg: 'ES256' })));
  writeFileSync(file, JSON.stringify({ keys: jwks }));
  return file;
}

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  provider = privateKey;
  reader = readerOf(await keysFile('jwks.json', publicKey), stepUpDecisions);
  lab = await startControlLab({ signIns: { reader, roster, inForce: (id) => book.inForce(id) } });
  control = await lab.start();
});

afterAll(async () => {
  await lab.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function token(subject: string, nonce: string, at: number): Promise<string> {
  const seconds = Math.floor(at / 1_000);
  return new SignJWT({ nonce, auth_time: seconds })
    .setProtectedHeader({ alg: 'ES256', kid: 'k0' })
    .setIssuer(issuer)
    .setAudience(clientId)
    .setSubject(subject)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 60)
    .sign(provider);
}

/** A token as the provider signs it for somebody who really signed in for this vote. */
const signedIn = (vote: Vote): Promise<string> => token(`sub-${vote.person}`, stepUpNonce(vote), Date.parse(vote.at));

let serial = 0;
function restraint(now: number, over: Partial<RestraintTerms> = {}): RestraintTerms {
  serial += 1;
  return {
    version: 1,
    id: `f${serial.toString(16).padStart(15, '0')}`,
    cluster: 'lab',
    mode: 'freeze',
    scope: { kind: 'cluster' },
    owner: 'ana',
    reason: 'maintenance',
    from: new Date(now).toISOString(),
    until: new Date(now + dayMs).toISOString(),
    ...over,
  };
}

async function proposed(over: Partial<RestraintTerms> = {}): Promise<RestraintTerms> {
  const terms = restraint(await lab.clock(), over);
  const order = { version: 1, kind: 'restraint.propose', person: 'ana', at: terms.from, terms } as const;
  await control.signal(controlNames.orderSignal, signedOrder(order, 'ana'));
  await control.until((state) => statusOf(state, terms) === 'proposed', 'the proposal');
  return terms;
}

function statusOf({ decisions }: ControlState, { id }: { readonly id: string }): string | undefined {
  return decisions.find(({ proposal }) => proposal.order.terms.id === id)?.status.state;
}

/** Its card is posted a moment after the proposal is known. */
async function choicesOf({ id }: { readonly id: string }): Promise<QuestionCard['choices']> {
  const card = () => lab.cards.find(({ questionId }) => questionId.endsWith(`:${id}`));
  await control.until(() => card() !== undefined, 'the card');
  return card()?.choices ?? [];
}

const lastText = async (): Promise<string | undefined> => (await control.state()).timeline.at(-1)?.text;
const memoryWith = (of: SignInReader, file: string, key = cellKey) =>
  new SignInMemory({ reader: of, stored: { file, key }, log });
const withoutToken = ({ idToken: _, ...end }: SignedEnd): SignedEnd => end;
let books = 0;
const fileOf = () => join(folder, `book-${++books}.json`);

function restraintsBy(memory: SignInMemory, now: number, file = fileOf()): DecisionBook {
  const signInOfEnd = (end: SignedEnd) => memory.ofEnd(end);
  return new DecisionBook({ file, beliefs: () => ({ ...beliefsAt(now), roster, stepUp: memory.stepUp, signInOfEnd }), log });
}

const anything = { namespaces: ['shop'], playbook: 'p' };

describe('a freeze of the whole cluster', () => {
  let terms: RestraintTerms;
  let state: ControlState;

  test('is marked on its card, and approved only by those who signed in for exactly it', async () => {
    terms = await proposed();
    expect((await choicesOf(terms)).map(({ stepUp }) => stepUp)).toEqual([true, undefined]);
    await control.vote(terms.id, 'approve', 'ben');
    expect(await lastText()).toContain('needs a sign-in in addition to your vote');
    await control.vote(terms.id, 'approve', 'ben', 'desk', {}, (vote) =>
      token('sub-ben', stepUpNonce({ ...vote, questionDigest: 'sha256:of-another' }), Date.parse(vote.at)),
    );
    expect(await lastText()).toContain('signed in for a different answer');
    await control.vote(terms.id, 'approve', 'ben', 'desk', {}, (vote) =>
      token('sub-lea', stepUpNonce(vote), Date.parse(vote.at)),
    );
    expect(await lastText()).toContain('signed in as somebody else');
    expect(statusOf(await control.state(), terms)).toBe('proposed');
    await control.vote(terms.id, 'approve', 'ben', 'desk', {}, signedIn);
    state = await control.until((now) => statusOf(now, terms) === 'active', 'the freeze');
    await control.until(() => lab.records.some(({ kind }) => kind === 'restraint.begun'), 'the record');
    const record = lab.records.find(({ kind }) => kind === 'vote.accepted');
    expect(record?.body).toMatchObject({ signIn: { issuer, subject: 'sub-ben' } });
    expect(JSON.stringify(lab.records)).not.toContain('idToken');
  });

  test('is believed by the cell only with the provider’s word, which it reads itself', async () => {
    const now = await lab.clock();
    const memory = memoryWith(reader, fileOf());
    const restraints = restraintsBy(memory, now);
    restraints.update(state);
    expect(restraints.on(anything)).toBeUndefined();
    await memory.learn(state);
    restraints.update(state);
    expect(restraints.on(anything)).toMatchObject({ terms: { id: terms.id } });

    // Anyone with the desk’s key and Temporal can bring votes, but no sign-in.
    const without = state.questions.map((asked) => ({ ...asked, votes: asked.votes.map(({ idToken: _, ...vote }) => vote) }));
    const forged = { ...state, questions: without };
    await memory.learn(forged);
    restraints.update(forged);
    expect(restraints.on(anything)).toBeUndefined();
  });

  test('survives a restart after the provider has changed its keys, but not in a file that somebody else wrote', async () => {
    const now = await lab.clock();
    const [signInsFile, bookFile] = [fileOf(), fileOf()];
    const first = memoryWith(reader, signInsFile);
    await first.learn(state);
    restraintsBy(first, now, bookFile).update(state);

    const { publicKey } = await generateKeyPair('ES256');
    const changed = readerOf(await keysFile('changed.json', publicKey), stepUpDecisions);
    const restarted = memoryWith(changed, signInsFile);
    expect(restraintsBy(restarted, now, bookFile).on(anything)).toMatchObject({ terms: { id: terms.id } });
    await restarted.learn(state);
    expect(restraintsBy(restarted, now, bookFile).on(anything)).toBeDefined();

    const stored = readFileSync(signInsFile, 'utf8');
    for (const [key, text] of [
      [cellKey, stored.replaceAll('sub-ben', 'sub-lea')],
      [new Uint8Array(32).fill(8), stored],
      [cellKey, '{}'],
    ] as const) {
      const file = fileOf();
      writeFileSync(file, text);
      const memory = memoryWith(changed, file, key);
      await memory.learn(state);
      const restraints = restraintsBy(memory, now);
      restraints.update(state);
      expect(restraints.on(anything)).toBeUndefined();
    }
  });

  test('ends only with a sign-in for exactly that end', async () => {
    const memory = memoryWith(reader, fileOf());
    await memory.learn(state);
    book = restraintsBy(memory, await lab.clock());
    book.update(state);
    const end = async (idToken?: (order: EndDecision) => Promise<string>): Promise<void> => {
      const at = new Date(await lab.clock()).toISOString();
      const order: EndDecision = {
        version: 1,
        kind: 'restraint.end',
        person: 'lea',
        at,
        cluster: 'lab',
        decision: terms.id,
        reason: 'done',
        via: 'slack',
      };
      const seen = (await control.state()).timeline.length;
      await control.signal(controlNames.orderSignal, {
        ...signedOrder(order, 'desk'),
        ...(idToken && { idToken: await idToken(order) }),
      });
      await control.until(({ timeline }) => timeline.length > seen, 'the answer');
    };
    const nonceOf = (order: EndDecision, person = 'lea') =>
      stepUpNonce({ questionDigest: endDigest(order), choice: 'end', person });
    await end();
    expect(await lastText()).toContain('needs a sign-in');
    await end((order) => token('sub-lea', nonceOf({ ...order, reason: 'something else' }), Date.parse(order.at)));
    expect(await lastText()).toContain('signed in for a different answer');
    await end((order) => token('sub-ben', nonceOf(order), Date.parse(order.at)));
    expect(await lastText()).toContain('signed in as somebody else');
    await end((order) => token('sub-lea', nonceOf(order), Date.parse(order.at) - 3_600_000));
    expect(await lastText()).toContain('needs a sign-in');
    expect(statusOf(await control.state(), terms)).toBe('active');
    await end((order) => token('sub-lea', nonceOf(order), Date.parse(order.at)));
    const ended = await control.until((now) => statusOf(now, terms) === 'ended', 'the end');
    expect(JSON.stringify(lab.records)).not.toContain('idToken');

    // Anyone with lea’s key and Temporal can bring the order, but no sign-in.
    const without = ended.decisions.map((one) =>
      one.status.state === 'ended' ? { ...one, status: { ...one.status, by: withoutToken(one.status.by) } } : one,
    );
    await memory.learn({ ...ended, decisions: without });
    book.update({ ...ended, decisions: without });
    expect(book.on(anything)).toMatchObject({ terms: { id: terms.id } });

    await memory.learn(ended);
    book.update(ended);
    expect(book.on(anything)).toBeUndefined();
  });

  test('stays ended after a restart, even if the provider has changed its keys', async () => {
    const ended = await control.state();
    const [signInsFile, bookFile] = [fileOf(), fileOf()];
    const now = await lab.clock();
    const first = memoryWith(reader, signInsFile);
    await first.learn(state);
    const restraints = restraintsBy(first, now, bookFile);
    restraints.update(state);
    expect(restraints.on(anything)).toBeDefined();
    await first.learn(ended);
    restraints.update(ended);
    const { publicKey } = await generateKeyPair('ES256');
    const restarted = memoryWith(readerOf(await keysFile('changed-again.json', publicKey), stepUpDecisions), signInsFile);
    const again = restraintsBy(restarted, now, bookFile);
    // Anyone who can reach Temporal can reset the workflow to before it ended.
    await restarted.learn(state);
    again.update(state);
    expect(again.on(anything)).toBeUndefined();
  });
});

describe('a sign-in is asked for', () => {
  const cases: readonly (readonly [string, Partial<RestraintTerms>, true | undefined])[] = [
    ['observing the whole cluster', { mode: 'observe' }, true],
    ['freezing a playbook in the whole cluster', { scope: { kind: 'playbook', name: 'p' } }, true],
    ['breaking the glass', { mode: 'break-glass', scope: { kind: 'namespace', name: 'shop' } }, true],
    ['freezing one namespace', { scope: { kind: 'namespace', name: 'shop' } }, undefined],
  ];
  test.each(cases)('for %s: %j: %s', async (_what, over, marked) => {
    const [choice] = await choicesOf(await proposed(over));
    expect(choice).toBeDefined();
    expect(choice?.stepUp).toBe(marked);
  });

  test.each([
    ['critical', true],
    ['high', undefined],
  ] as const)('for hiding alerts up to %s: %s', async (upTo, marked) => {
    const terms: SuppressionTerms = termsOf(await lab.clock(), { upTo, match: { ...termsOf(0).match, rule: `Hides ${upTo}` } });
    await control.propose(terms);
    const [choice] = await choicesOf(terms);
    expect(choice).toBeDefined();
    expect(choice?.stepUp).toBe(marked);
    for (const person of upTo === 'critical' ? ['ben', 'lea'] : ['ben'])
      await control.vote(terms.id, 'approve', person, 'desk', {}, marked && signedIn);
    const state = await control.until((now) => statusOf(now, terms) === 'active', 'the suppression');
    const memory = memoryWith(reader, fileOf());
    const now = await lab.clock();
    const suppressions = new DecisionBook({
      file: fileOf(),
      beliefs: () => ({ ...beliefsAt(now), roster, stepUp: memory.stepUp }),
      log,
    });
    const alert = noisyAlert({ rule: `Hides ${upTo}` });
    suppressions.update(state);
    expect(suppressions.hiding(alert) === undefined).toBe(marked === true);
    await memory.learn(state);
    suppressions.update(state);
    expect(suppressions.hiding(alert)).toMatchObject({ terms: { id: terms.id } });
  });

  test('to withdraw a proposal: no', async () => {
    const terms = await proposed();
    const at = new Date(await lab.clock()).toISOString();
    const order = { version: 1, kind: 'restraint.end', person: 'lea', at, cluster: 'lab', decision: terms.id } as const;
    await control.signal(controlNames.orderSignal, signedOrder({ ...order, reason: 'not needed' }, 'lea'));
    await control.until((state) => statusOf(state, terms) === 'ended', 'the end');
  });
});
