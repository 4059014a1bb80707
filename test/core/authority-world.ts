import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import type { Plan } from '../../core/action/plan.ts';
import { type Choice, type Question, questionDigest, quorumOf, type SignedVote } from '../../core/decide/approval.ts';
import { countVote, proofOf, silenceOn } from '../../core/decide/question.ts';
import { type SignIn, stepUpNonce } from '../../core/decide/step-up.ts';
import { checkProof, checkVote, type SeenVote, type StepUp, type VoteKeys } from '../../core/decide/vote-check.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import type { Roster } from '../../core/people/roster.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { type Ballot, decide, type Way, type World } from './authority-reference.ts';

/*
 * The votes of `authority-reference.ts`, which knows no signature, no digest and no reducer, made into real ones, forged and true, and taken the
 * way the incident takes them.
 */

const start = Date.parse('2026-11-24T22:00:00Z');
const minute = 60_000;

/** Tokens of the provider are simulated, too: each is what the provider says, unless it is not the provider's at all. */
const stepUp: StepUp = {
  policy: { issuer: 'https://id', audience: 'firebreak', reaches: ['node'], decisions: [], maxAgeMs: 5 * minute },
  signInOf: ({ idToken }) => (idToken?.startsWith('provider:') ? JSON.parse(idToken.slice('provider:'.length)) : undefined),
};

/** Keys are simulated: a signature is the key's name and what it signed. For real ones see `question.test.ts`. */
const keys: VoteKeys = {
  deskKeyIds: ['desk'],
  keyIdsOf: (person) => person.keys,
  verify: (keyId, bytes, signature) => signature === `${keyId}:${Buffer.from(bytes).toString()}`,
};

const plan: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'pod',
  target: { name: 'pod/shop/cart-1', uid: 'u' },
  changes: [{ target: 'pod/shop/cart-1', what: 'is deleted' }],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: 'd',
};

export const plans: Readonly<Record<World['risk'], Plan>> = {
  none: { ...plan, effect: 'reversible', action: 'quarantinePod' },
  weakening: { ...plan, effect: 'reversible', action: 'undo:quarantinePod', weakens: true },
  destructive: plan,
  wide: { ...plan, reach: 'node' },
  'many-objects': { ...plan, blastRadius: Array.from({ length: 21 }, (_, n) => `pod/shop/cart-${n}`) },
  'others-secrets': { ...plan, blastRadius: ['deployment/shop/cart', 'deployment/shop/orders', 'secret/shop/db'] },
  'own-secrets': { ...plan, blastRadius: ['deployment/shop/cart', 'secret/shop/db'] },
  protected: { ...plan, effect: 'reversible', blastRadius: ['pod/kube-system/dns'] },
};

export const ids = ['ana', 'ben', 'cy', 'lea'] as const;

const isIn =
  ({ only }: World) =>
  (person: string): boolean =>
    only?.includes(person) ?? true;

function rosterOf(world: World): Roster {
  const on = (person: string) => ({ person, from: start + world.shift.from * minute, until: start + world.shift.until * minute });
  return {
    people: ids.map((id) => ({
      id,
      name: id,
      slackIds: [`U${id}`],
      keys: [`key-${id}`],
      accounts: [`${id}@example.com`],
      // Cy cannot sign in.
      ...(id !== 'cy' && { subject: `sub-${id}` }),
    })),
    groups: { oncall: ['ana', 'ben', 'cy'].filter(isIn(world)), leads: ['lea', 'ben'].filter(isIn(world)) },
    schedules: {
      oncall: {
        timeZone: 'UTC',
        rotations: [],
        shifts: [on('ana'), ...['ben', 'cy'].map((id) => ({ ...on(id), from: 0, until: 9e15 }))],
        overrides: [],
      },
    },
    delegations: world.standIn
      ? [{ person: 'ben', to: world.standIn, from: start + 5 * minute, until: start + 60 * minute }]
      : [],
  };
}

function questionOf(world: World): Question {
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
  const yes = [plans[world.risk]];
  const choice = (id: string, of: readonly Plan[]): Choice => ({ id, label: id, plans: of, quorum: 1 });
  return {
    id: 'q',
    incident,
    severity: world.severity,
    text: 'Really?',
    // The quorum that a question states is not trusted.
    choices: [choice('yes', yes), choice('other', yes), choice('no', [])],
    levels: [
      { group: 'oncall', withinMs: 15 * minute },
      { group: 'leads', withinMs: 60 * minute },
    ],
    requester: world.requester === undefined ? 'playbook/p' : `person/${world.requester}`,
    onSilence: 'It stays.',
    ...(world.ordered && { requesters: world.ordered }),
  };
}

const reasons = { said: 'not ours', none: undefined, short: 'x', endless: 'x'.repeat(501) } as const;

function signedVote(ballot: Ballot, question: Question, n: number): SignedVote {
  const { person, choice, flaw, via, signedAs = via, reason = 'said' } = ballot;
  const other = (name: string): string => (flaw === name ? 'another' : '');
  const why = reasons[reason];
  const vote = {
    version: 1 as const,
    id: ballot.id ?? `v${n}`,
    incident: { id: `${question.incident.id}${other('incident')}`, run: `${question.incident.run}${other('run')}` },
    question: `${question.id}${other('question')}`,
    questionDigest: flaw === 'stale' ? questionDigest({ ...question, text: 'As it was?' }) : questionDigest(question),
    choice: `${choice}${other('choice')}`,
    person: flaw === 'stranger' ? 'eve' : person,
    // Anyone who can reach Temporal can write there what they like.
    via: signedAs as Exclude<Way, 'fax'>,
    ...(why !== undefined && { reason: why }),
    at: flaw === 'no-time' ? 'now' : new Date(start + ballot.at * minute).toISOString(),
  };
  const keyId = keyOf(ballot);
  const bytes = new TextEncoder().encode(`firebreak.vote.v1\n${canonicalJson(vote)}`);
  const signature = flaw === 'unsigned' ? '' : `${keyId}:${Buffer.from(bytes).toString()}`;
  const changed = { ...vote, ...(flaw === 'changed' && { choice: choice === 'yes' ? 'other' : 'yes' }) };
  return { vote: { ...changed, via: via as Exclude<Way, 'fax'> }, keyId, signature, ...tokenOf(ballot, vote) };
}

function keyOf({ person, via, signedAs = via, stamp }: Ballot): string {
  switch (stamp ?? (signedAs === 'cli' ? 'own' : 'desk')) {
    case 'desk':
      return 'desk';
    case 'own':
      return `key-${person}`;
    default:
      return `key-${person === 'ana' ? 'ben' : 'ana'}`;
  }
}

function tokenOf({ word, at, person }: Ballot, vote: SignedVote['vote']): { readonly idToken?: string } {
  if (word === undefined) return {};
  const time = start + at * minute;
  const another = person === 'ana' ? 'ben' : 'ana';
  const { questionDigest: digest, choice } = vote;
  const right = {
    issuer: 'https://id',
    subject: `sub-${person}`,
    issuedAt: time,
    expiresAt: time + minute,
    authenticatedAt: time,
  };
  const nonce = stepUpNonce({ questionDigest: digest, choice, person });
  const wrong: Readonly<Record<typeof word, Partial<SignIn>>> = {
    right: {},
    forged: {},
    'of another provider': { issuer: 'https://evil' },
    'of somebody else': { subject: `sub-${another}` },
    'for somebody else': { nonce: stepUpNonce({ questionDigest: digest, choice, person: another }) },
    'for another choice': { nonce: stepUpNonce({ questionDigest: digest, choice: 'another', person }) },
    'for another question': { nonce: stepUpNonce({ questionDigest: 'another', choice, person }) },
    'over by then': { issuedAt: time - 20 * minute, expiresAt: time - 10 * minute },
    'of later': { issuedAt: time + 2 * minute, expiresAt: time + 3 * minute },
    'without being asked anew': { authenticatedAt: time - 7 * minute },
  };
  return { idToken: `${word === 'forged' ? 'somebody' : 'provider'}:${JSON.stringify({ nonce, ...right, ...wrong[word] })}` };
}

/** Takes votes as `workflows/questions/questions.ts` does: check, count, ask the next level when its time has come. */
function taken(world: World) {
  const question = questionOf(world);
  const roster = rosterOf(world);
  const actorsAt = (at: number): readonly string[] => (world.actor && at >= world.actor.at ? [world.actor.person] : []);
  let state: QuestionState = {
    question: { ...question, choices: question.choices.map((choice) => ({ ...choice, quorum: quorumAsked(question, choice) })) },
    digest: '',
    status: { state: 'open' },
    votes: [],
    level: 0,
    levelUntil: '',
    askedAt: new Date(start).toISOString(),
    plans: [],
  };
  state = { ...state, digest: questionDigest(state.question) };
  let nextAt = 15;
  /** Ended by silence: the workflow must refuse later votes, as the cells know no deadlines. */
  let isOver = false;
  const signed: SignedVote[] = [];
  const seen: SeenVote[] = [];
  const advance = (to: number): void => {
    for (; state.status.state === 'open' && to >= nextAt; ) {
      if (state.level === 0) {
        state = { ...state, level: 1 };
        nextAt += 60;
      } else {
        state = { ...state, status: silenceOn(state, { now: '', actors: actorsAt(nextAt) }) };
        isOver = true;
      }
    }
  };
  for (const [n, ballot] of world.ballots.entries()) {
    advance(ballot.arrives);
    const vote =
      ballot.again === undefined
        ? signedVote(ballot, state.question, n)
        : (signed[ballot.again % Math.max(1, n)] ?? signedVote(ballot, state.question, n));
    signed.push(vote);
    const actors = actorsAt(ballot.arrives);
    const check = checkVote({
      signed: vote,
      question: state.question,
      level: state.level,
      roster,
      keys,
      now: start + ballot.arrives * minute,
      actors,
      ...(world.provider && { stepUp }),
    });
    if (!check.ok) continue;
    const known = seen.some((one) => one.signed.signature === vote.signature);
    if (!known && !isOver)
      seen.push({ signed: vote, at: start + ballot.arrives * minute, level: check.level, asked: state.level, actors });
    const before = state.level;
    const now = new Date(start + ballot.arrives * minute).toISOString();
    ({ state } = countVote(state, vote, { now, severity: world.severity, level: check.level, actors }));
    if (state.level > before) nextAt = ballot.arrives + 60;
  }
  advance(1_000);
  const proof = proofOf(state);
  const last = world.ballots.at(-1)?.arrives ?? 0;
  const known = {
    severity: world.severity,
    roster,
    keys,
    now: start + last * minute,
    actors: actorsAt(last),
    protectedNamespaces: ['kube-system'],
    ...(world.provider && { stepUp }),
  };
  const stands = proof && checkProof({ proof, seen, ...known });
  // What is shown before a step without having been decided: each vote that was ever valid, withdrawn or not, for every other choice.
  const shown = state.question.choices
    .filter(({ id }) => state.status.state !== 'decided' || id !== state.status.choice)
    .map(({ id: choice }) => {
      const votes = seen.map((one) => one.signed).filter(({ vote }) => vote.choice === choice);
      return { question: state.question, choice, votes };
    });
  const decidedByVotes = state.status.state === 'decided' && !isOver;
  const forged = decidedByVotes
    ? shown.filter((one) => one.votes.length > 0 && checkProof({ proof: one, seen, ...known }).ok)
    : [];
  // Votes whose arrival nobody saw are checked by the rules that hold at the click.
  const dated = signed.filter((vote) => {
    const alone = { question: state.question, choice: vote.vote.choice, votes: [vote] };
    const click = { signed: vote, question: state.question, level: state.question.levels.length - 1, ...known };
    return checkProof({ proof: alone, ...known }).ok && !checkVote(click).ok;
  });
  return { status: state.status, stands: stands?.ok === true, forged, dated };
}

function quorumAsked(question: Question, choice: Choice): number {
  return quorumOf({
    plans: choice.plans,
    severity: question.severity,
    incident: question.incident.id,
    protectedNamespaces: ['kube-system'],
  });
}

/** Checks that the cell decides the same as the reference. */
export function compare(world: World): ReturnType<typeof decide> {
  const expected = decide(world);
  const { status, stands, forged, dated } = taken(world);
  const seen = status.state === 'decided' ? { choice: status.choice, by: [...status.by].sort() } : undefined;
  const wanted = expected && { choice: expected.choice, by: [...expected.by].sort() };
  // Only differences are worth the time of a matcher: there are tens of thousands.
  if (!isDeepStrictEqual(seen, wanted)) expect({ world, decided: seen }).toEqual({ world, decided: wanted });
  if (expected && stands !== expected.stands) expect({ world, stands }).toEqual({ world, stands: expected.stands });
  if (forged.length + dated.length > 0) expect({ world, forged, dated }).toEqual({ world, forged: [], dated: [] });
  return expected;
}

export const calm: World = { risk: 'destructive', severity: 'high', ballots: [], shift: { from: -60, until: 600 } };
