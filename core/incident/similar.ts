import type { AuditRecord } from '../audit/audit.ts';
import { parseReference } from '../cluster/image-reference.ts';
import { digestOf } from '../text/digest.ts';
import { type IncidentRef, subjectOfIncident, type Verdict } from './incident.ts';

/** Earlier incidents that look like this one, for the people who decide now. */
export interface Similar {
  /** What they have in common besides the rule. */
  readonly by: 'image' | 'workload kind';
  readonly days: number;
  readonly total: number;
  /** There are more than were counted. */
  readonly more?: true;
  /** Number of incidents per verdict; `unknown` is not judged (yet). */
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  /** A few, the newest first. */
  readonly latest: readonly SimilarIncident[];
}

export interface SimilarIncident extends IncidentRef {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly verdict: Verdict;
}

/** What an incident is compared by. */
export interface SimilarityKey {
  readonly incident: IncidentRef;
  readonly rule: string;
  readonly image?: string;
}

/** The desk's index of incidents: stored next to the records, and built from them. */
export interface SimilarIncidents {
  /** Undefined: none. */
  similarTo(looks: SimilarityKey): Promise<Similar | undefined>;
  /** Idempotent. */
  note(records: readonly AuditRecord[]): Promise<void>;
}

/** One line of the index: `likeness` is the same for all incidents that look alike. */
export interface IndexedIncident {
  readonly chain: string;
  readonly likeness: string;
  readonly at: string;
}

export interface IndexedVerdict {
  readonly chain: string;
  readonly number: number;
  readonly verdict: Verdict;
  readonly at: string;
}

/** Authenticates the lines of the index, because it is stored where others can write. */
export interface LineMarks {
  of(content: string): string;
  /** Never throws. */
  isOf(content: string, mark: string): boolean;
}

/** By the image regardless of its tag; and by the kind of the workload, for sensors that name no image. */
export function likenessByImage({ rule, image }: { readonly rule: string; readonly image: string }): string {
  return digestOf({ rule, image: parseReference(image).repository });
}

/** Undefined if it is no incident. */
export function likenessByKind({ rule, incident }: { readonly rule: string; readonly incident: string }): string | undefined {
  const subject = subjectOfIncident(incident);
  if (!subject) return undefined;
  return digestOf({ rule, kind: subject.kind === 'workload' ? subject.ownerKind : subject.kind });
}

/** Parses `INCIDENT@RUN`; undefined for any other chain. */
export function incidentOfChain(chain: string): IncidentRef | undefined {
  const at = chain.lastIndexOf('@');
  const [id, run] = [chain.slice(0, at), chain.slice(at + 1)];
  return at > 0 && subjectOfIncident(id) ? { id, run } : undefined;
}

/** What the index takes from records. Their bodies are read defensively, because they may be of another version. */
export function indexLines(records: readonly AuditRecord[]): {
  readonly incidents: readonly IndexedIncident[];
  readonly verdicts: readonly IndexedVerdict[];
} {
  const incidents = new Map<string, IndexedIncident>();
  const verdicts: IndexedVerdict[] = [];
  for (const { chain, number, at, kind, body } of records) {
    const incident = incidentOfChain(chain);
    if (!incident) continue;
    if (kind === 'incident.opened' || kind === 'alert.joined')
      for (const likeness of likenessesIn(incident.id, body))
        incidents.set(`${chain} ${likeness}`, incidents.get(`${chain} ${likeness}`) ?? { chain, likeness, at });
    const verdict = kind === 'incident.closed' ? body.verdict : kind === 'incident.verdict' ? body.incident : undefined;
    if (isVerdict(verdict)) verdicts.push({ chain, number, verdict, at });
  }
  return { incidents: [...incidents.values()], verdicts };
}

function likenessesIn(incident: string, { counts, alerts }: AuditRecord['body']): ReadonlySet<string> {
  const found = new Set<string>();
  for (const entry of [...listOf(counts), ...listOf(alerts)]) {
    const { rule, image } = entry;
    if (typeof rule !== 'string') continue;
    const byKind = likenessByKind({ rule, incident });
    if (byKind !== undefined) found.add(byKind);
    if (typeof image === 'string') found.add(likenessByImage({ rule, image }));
  }
  return found;
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : [];
}

const known: ReadonlySet<unknown> = new Set<Verdict>(['true_positive', 'benign', 'suspicious', 'unknown']);

export function isVerdict(value: unknown): value is Verdict {
  return known.has(value);
}
