import { type Choice, type Question, questionDigest, quorumOf, type Vote, voteBytes } from '../decide/approval.ts';
import { hasTexts, isVoteShaped } from '../decide/vote-shape.ts';
import { isRemarkShaped, remarkBytes } from '../incident/remark.ts';
import type { SignatureVerifier } from '../messages/signing.ts';
import { type Order, orderBytes } from '../orders/order.ts';
import { isObject } from '../text/plain-json.ts';
import type { AuditRecord, SignedRecord } from './audit.ts';
import type { Finding } from './audit-report.ts';
import { isQuestion } from './decision-events.ts';

/** Who may have signed the votes on record: the current and retired keys of desks and people. */
export interface VoteSigners extends SignatureVerifier {
  /** Returns the ids of the keys that sign, or signed, this person's answers given this way. */
  keyIdsFor(person: string, via: Vote['via']): readonly string[];
}

/**
 * Checks what a chain's genuine records say about people: each vote is signed by its desk or person and is about this incident, and each decision follows from
 * the votes before it. So a compromised cell cannot invent a person's word, not even on record. It takes some records at a time.
 */
export class DecisionCheck {
  readonly #chain: string;
  readonly #signers: VoteSigners;
  readonly #asked = new Map<string, Question>();
  readonly #votes: Vote[] = [];
  /** A question or a vote was removed by order: later decisions cannot be verified. */
  #isPartial = false;
  readonly findings: Finding[] = [];

  constructor({ chain, signers }: { readonly chain: string; readonly signers: VoteSigners }) {
    this.#chain = chain;
    this.#signers = signers;
  }

  /** Adds the next records, in order. */
  add(records: readonly SignedRecord[]): void {
    for (const { record, removed } of records) {
      if (removed === undefined) this.#add(record);
      else this.#isPartial ||= decisive.has(record.kind);
    }
  }

  #add(record: AuditRecord): void {
    const { number, kind, body } = record;
    const found = (finding: 'vote-forged' | 'order-forged' | 'decision-unproven', problem: string): void => {
      this.findings.push({ kind: finding, chain: this.#chain, number, text: `${this.#chain} record ${number}: ${problem}` });
    };
    // For a lease, nobody is asked before somebody answers: its decision contains the question.
    for (const value of [body.question, body.asked]) if (isQuestion(value)) this.#asked.set(value.id, value);
    if (kind === 'vote.accepted') {
      const problem = voteProblem(record, this.#signers);
      if (problem === undefined && isVoteShaped(body)) this.#votes.push(body.vote);
      else found('vote-forged', problem ?? 'it does not contain a vote');
    }
    const problem = orderProblem(record, this.#signers);
    if (problem !== undefined) found('order-forged', problem);
    const unproven =
      kind === 'question.decided' && !this.#isPartial ? decisionProblem(record, this.#asked, this.#votes) : undefined;
    if (unproven !== undefined) found('decision-unproven', unproven);
  }
}

/** Without these, nobody can say whether a decision follows. */
const decisive: ReadonlySet<string> = new Set(['question.asked', 'question.joined', 'question.decided', 'vote.accepted']);

function voteProblem({ chain, actor, body }: AuditRecord, signers: VoteSigners): string | undefined {
  if (!isVoteShaped(body)) return 'it does not contain a signed vote';
  const { vote, keyId, signature } = body;
  const of = `the vote of ${vote.person}`;
  if (actor !== `person/${vote.person}`) return `${of} is recorded as cast by ${actor}`;
  if (`${vote.incident.id}@${vote.incident.run}` !== chain) return `${of} is about ${vote.incident.id}@${vote.incident.run}`;
  if (!signers.keyIdsFor(vote.person, vote.via).includes(keyId))
    return `${of} is signed with a key (${keyId}) that is not a known signing key for it`;
  return signers.verify({ keyId, bytes: voteBytes(vote), signature }) ? undefined : `${of} does not have a valid signature`;
}

/**
 * Returns whether `DecisionCheck` looks at such a record: for all others the hash and the signature suffice. A question that is stored in another record is not
 * found without its body.
 */
export function isDecision({ kind }: Pick<AuditRecord, 'kind'>): boolean {
  return decisive.has(kind) || Object.hasOwn(signedIn, kind);
}

/** The field in which a record of such a kind holds what a person or a desk signed. */
const signedIn: Readonly<Record<string, 'order' | 'proposal' | 'remark'>> = {
  'suppression.proposed': 'proposal',
  'suppression.ended': 'order',
  'restraint.proposed': 'proposal',
  'restraint.ended': 'order',
  'promotion.proposed': 'proposal',
  'promotion.ended': 'order',
  'evidence.ordered': 'order',
  'evidence.read': 'order',
  'incident.started': 'order',
  'incident.exported': 'order',
  'incident.rerun': 'order',
  'records.held': 'order',
  'records.unheld': 'order',
  'deadline.started': 'order',
  'deadline.sent': 'order',
  'deadline.measured': 'order',
  'deadline.stopped': 'order',
  'records.remove-ordered': 'order',
  'question.comment': 'remark',
};

/** Returns whether the order in this record is signed by the person who is on record as having given it. */
export function isOrderOf(record: AuditRecord, signers: VoteSigners): boolean {
  return signedIn[record.kind] === 'order' && orderProblem(record, signers) === undefined;
}

interface Said {
  readonly person: string;
  readonly via: Vote['via'];
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly signature: string;
}

function orderProblem({ kind, actor, body }: AuditRecord, signers: VoteSigners): string | undefined {
  const field = signedIn[kind];
  if (field === undefined) return undefined;
  const said = field === 'remark' ? remarkIn(body.remark) : orderIn(body[field]);
  if (!said) return `it does not contain a signed ${field}`;
  const of = `the ${field} of ${said.person}`;
  if (actor !== `person/${said.person}`) return `${of} is recorded as coming from ${actor}`;
  if (!signers.keyIdsFor(said.person, said.via).includes(said.keyId))
    return `${of} is signed with a key (${said.keyId}) that is not a known signing key for it`;
  return signers.verify(said) ? undefined : `${of} does not have a valid signature`;
}

function orderIn(signed: unknown): Said | undefined {
  if (!isObject(signed) || !isOrder(signed.order)) return undefined;
  const { order, keyId, signature } = signed;
  if (typeof keyId !== 'string' || typeof signature !== 'string') return undefined;
  // An order that does not say it came through a desk is signed by its person.
  const via = 'via' in order && order.via === 'slack' ? 'slack' : 'cli';
  return { person: order.person, via, keyId, bytes: orderBytes(order), signature };
}

function isOrder(value: unknown): value is Order {
  return isObject(value) && value.version === 1 && hasTexts(value, ['kind', 'person', 'at']);
}

function remarkIn(signed: unknown): Said | undefined {
  if (!isRemarkShaped(signed)) return undefined;
  const { remark, keyId, signature } = signed;
  return { person: remark.person, via: 'slack', keyId, bytes: remarkBytes(remark), signature };
}

function decisionProblem(
  { body }: AuditRecord,
  asked: ReadonlyMap<string, Question>,
  votes: readonly Vote[],
): string | undefined {
  const id = idOf(body.question);
  const question = id === undefined ? undefined : asked.get(id);
  if (!question) return 'no record says what was asked';
  const choice = question.choices.find((offered) => offered.id === body.choice);
  if (!choice) return 'the decision is not a choice of the question';
  const digest = questionDigest(question);
  const lastWords = new Map<string, string>();
  for (const vote of votes)
    if (vote.question === question.id && vote.questionDigest === digest) lastWords.set(vote.person, vote.choice);
  const said = [...lastWords].flatMap(([person, word]) => (word === choice.id && mayDecide(person, question) ? person : []));
  const by = Array.isArray(body.by) ? body.by.map(String) : [];
  const without = by.filter((person) => !said.includes(person));
  if (without.length > 0) return `it names ${without.join(' and ')}, but no earlier record holds their vote for “${choice.id}”`;
  const quorum = quorumOfChoice(question, choice);
  const people = new Set(by).size;
  return people < quorum ? `it needs ${quorum} people, but names ${people}` : undefined;
}

/** Today a decision names its question by id; one about a lease contains the whole question as `asked`. */
function idOf(question: unknown): string | undefined {
  return typeof question === 'string' ? question : undefined;
}

/** The person who asked, and the people named by alerts, may not decide. */
function mayDecide(person: string, { requester, actors = [] }: Question): boolean {
  return requester !== `person/${person}` && !actors.includes(person);
}

function quorumOfChoice({ severity, incident }: Question, { plans, harmless, quorum }: Choice): number {
  return Math.max(quorum, quorumOf({ plans, harmless, severity, incident: incident.id }));
}
