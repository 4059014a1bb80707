/** The order of the pages, by what readers look for. A page that is not listed here appears under More. */

export interface Section {
  readonly title: string;
  /** Pages such as `install.md`, or a folder of pages such as `runbooks/`, which is one entry: its README, or a list of its pages. */
  readonly pages: readonly string[];
  readonly collapsed?: boolean;
  /** Pages that others lead to, without an entry of their own. */
  readonly linked?: readonly string[];
}

export interface Kind {
  readonly title: string;
  readonly sections: readonly Section[];
}

export const kinds: readonly Kind[] = [
  {
    title: 'Start here',
    sections: [
      {
        title: 'Start here',
        pages: ['index.md', 'assess.md', 'quickstart.md', 'install.md', 'first-four-weeks.md', 'tutorial.md'],
      },
    ],
  },
  {
    title: 'How to',
    sections: [
      {
        title: 'Answer',
        pages: ['answering.md', 'suppressions.md', 'freeze.md', 'rotation.md', 'way-out.md'],
      },
      {
        title: 'Connect',
        pages: ['sensors/', 'slack.md', 'console.md', 'on-call.md', 'tickets.md', 'kubernetes.md', 'gitops.md'],
      },
      { title: 'Write playbooks', pages: ['packs.md', 'playbook-body.md', 'playbook-tests.md', 'schedules.md'] },
      {
        title: 'Operate',
        pages: ['operations.md', 'troubleshooting.md', 'runbooks/', 'observability.md', 'scaling.md', 'upgrade.md'],
      },
      {
        title: 'Prove',
        pages: ['audit.md', 'records.md', 'retention.md', 'streams.md', 'compliance.md'],
      },
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
          'playbooks/',
          'matching.md',
          'rule-confidence.md',
          'errors.md',
          'rights.md',
          'spec/',
          'api/',
          'nouns.md',
        ],
      },
    ],
  },
  {
    title: 'How it works',
    sections: [
      {
        title: 'How it works',
        pages: [
          'how-it-works.md',
          'assessment.md',
          'response-modes.md',
          'intake.md',
          'containment.md',
          'evidence.md',
          'novelty.md',
          'image-signatures.md',
          'hostile-bus.md',
          'decisions/',
        ],
      },
      {
        title: 'Project',
        pages: ['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
        linked: ['architecture.md', 'dependencies.md', 'writing.md'],
        collapsed: true,
      },
    ],
  },
];

/** What is known of a page here: its name, and the title of its text. */
type Titles = ReadonlyMap<string, string>;

export interface Entry {
  readonly title: string;
  /** The page that it leads to. */
  readonly page: string;
}

/** The page of a folder: its own, or one that is made of its list. */
function indexOf(folder: string): string {
  return `${folder}README.md`;
}

/** The sections in order, each with its entries. A page of no section appears under More. */
export function sidebarOf(
  titles: Titles,
): readonly (Pick<Section, 'title' | 'collapsed'> & { readonly entries: readonly Entry[] })[] {
  const all = [...titles.keys()];
  const sections = kinds.flatMap((kind) => kind.sections);
  const placed = new Set(
    sections.flatMap(({ pages, linked = [] }) => [...pages, ...linked].flatMap((page) => within(page, all))),
  );
  const more = all.filter((page) => !placed.has(page)).toSorted();
  return [...sections, ...(more.length === 0 ? [] : [{ title: 'More', pages: more }])].map(({ title, pages, collapsed }) => ({
    title,
    ...(collapsed && { collapsed }),
    entries: pages.map((page) => {
      const index = page.endsWith('/') ? indexOf(page) : page;
      return { page: index, title: titles.get(index) ?? titleOfFolder(page) };
    }),
  }));
}

function within(page: string, all: readonly string[]): readonly string[] {
  return all.filter((one) => (page.endsWith('/') ? one.startsWith(page) : one === page));
}

function titleOfFolder(folder: string): string {
  return `${folder.slice(0, 1).toUpperCase()}${folder.slice(1, -1)}`;
}

/** Pages that list those of a folder that has no page of its own: name, and text in Markdown. */
export function listsOf(titles: Titles): ReadonlyMap<string, string> {
  const folders = kinds.flatMap(({ sections }) => sections.flatMap(({ pages }) => pages.filter((page) => page.endsWith('/'))));
  return new Map(
    folders
      .filter((folder) => !titles.has(indexOf(folder)))
      .map((folder) => {
        const lines = within(folder, [...titles.keys()])
          .toSorted()
          .map((page) => `- [${titles.get(page)}](./${page.slice(folder.length)})`);
        return [indexOf(folder), [`# ${titleOfFolder(folder)}`, '', ...lines, ''].join('\n')] as const;
      }),
  );
}
