/** The order of the pages, by what readers look for. A page that is not listed here appears under More. */

export interface Section {
  readonly title: string;
  /** Pages such as `install.md`, or a folder of pages such as `runbooks/`, in the order of their names. */
  readonly pages: readonly string[];
  readonly collapsed?: boolean;
}

export interface Kind {
  readonly title: string;
  readonly sections: readonly Section[];
}

export const kinds: readonly Kind[] = [
  {
    title: 'Start here',
    sections: [{ title: 'Start here', pages: ['index.md', 'quickstart.md', 'tutorial.md'] }],
  },
  {
    title: 'How to',
    sections: [
      {
        title: 'Install and connect',
        pages: ['install.md', 'slack.md', 'console.md', 'on-call.md', 'tickets.md', 'kubernetes.md'],
      },
      { title: 'Connect a sensor', pages: ['sensors/'], collapsed: true },
      {
        title: 'Respond',
        pages: ['suppressions.md', 'freeze.md', 'rotation.md', 'gitops.md', 'way-out.md'],
      },
      { title: 'Write playbooks', pages: ['packs.md', 'playbook-body.md', 'playbook-tests.md', 'schedules.md', 'stand-ins.md'] },
      {
        title: 'Operate',
        pages: [
          'operations.md',
          'troubleshooting.md',
          'observability.md',
          'streams.md',
          'scaling.md',
          'upgrade.md',
          'compliance.md',
          'audit.md',
          'records.md',
          'retention.md',
        ],
      },
      { title: 'Runbooks', pages: ['runbooks/'], collapsed: true },
    ],
  },
  {
    title: 'Reference',
    sections: [
      {
        title: 'Reference',
        pages: [
          'command-line.md',
          'configuration.md',
          'helm-values.md',
          'actions.md',
          'matching.md',
          'errors.md',
          'rights.md',
          'nouns.md',
          'pictures.md',
          'writing.md',
          'dependencies.md',
        ],
      },
      { title: 'Specifications', pages: ['spec/'], collapsed: true },
      { title: 'Shipped playbooks', pages: ['coverage.md', 'playbooks/'], collapsed: true },
      { title: 'Interfaces for authors', pages: ['api/'], collapsed: true },
      { title: 'Project', pages: ['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'], collapsed: true },
    ],
  },
  {
    title: 'How it works',
    sections: [
      {
        title: 'How it works',
        pages: [
          'how-it-works.md',
          'intake.md',
          'containment.md',
          'evidence.md',
          'assess.md',
          'assessment.md',
          'response-modes.md',
          'rule-confidence.md',
          'novelty.md',
          'image-signatures.md',
          'hostile-bus.md',
          'architecture.md',
          'tuned-constants.md',
        ],
      },
      { title: 'Decisions', pages: ['decisions/'], collapsed: true },
    ],
  },
];

/** The sections in order, each with its pages out of all existing ones. */
export function sectionsOf(all: readonly string[]): readonly Section[] {
  const placed = kinds.flatMap(({ sections }) => sections.map((section) => ({ ...section, pages: pagesOf(section, all) })));
  const known = new Set(placed.flatMap(({ pages }) => pages));
  const more = all.filter((page) => !known.has(page)).toSorted();
  return more.length === 0 ? placed : [...placed, { title: 'More', pages: more }];
}

/** A folder's own README comes first. */
export function pagesOf({ pages }: Section, all: readonly string[]): readonly string[] {
  return pages.flatMap((page) => {
    if (!page.endsWith('/')) return all.includes(page) ? [page] : [];
    const inside = all.filter((one) => one.startsWith(page)).toSorted();
    return [...inside.filter((one) => one === `${page}README.md`), ...inside.filter((one) => one !== `${page}README.md`)];
  });
}
