/** The issues of one repository, as in the REST API's schema (as far as tickets need it). */
export interface FakeIssue {
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly state: 'open' | 'closed';
  readonly stateReason: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly comments: readonly { readonly id: number; readonly body: string; readonly at: number }[];
}

export class IssueStore {
  readonly #issues: FakeIssue[] = [];
  readonly #labels = new Set<string>();

  /** Newest first, as the API lists them. */
  all(): readonly FakeIssue[] {
    return this.#issues.toReversed();
  }

  get(number: number): FakeIssue | undefined {
    return this.#issues[number - 1];
  }

  /** Labels that exist in the repository: those used in issues are created on the fly. */
  labels(): readonly string[] {
    return [...this.#labels].toSorted();
  }

  create(issue: { readonly title: string; readonly body: string; readonly labels: readonly string[] }): FakeIssue {
    for (const label of issue.labels) this.#labels.add(label);
    const now = Date.now();
    const made: FakeIssue = {
      ...issue,
      number: this.#issues.length + 1,
      state: 'open',
      stateReason: null,
      createdAt: now,
      updatedAt: now,
      comments: [],
    };
    this.#issues.push(made);
    return made;
  }

  change(issue: FakeIssue, change: Partial<FakeIssue>): FakeIssue {
    const changed = { ...issue, updatedAt: change.createdAt ?? Date.now(), ...change };
    this.#issues[issue.number - 1] = changed;
    return changed;
  }
}
