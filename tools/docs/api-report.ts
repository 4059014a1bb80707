/**
 * Writes `docs/api`, and checks the messages between workflows and program against the last release (`contract.ts`). The pages list what the package's doors
 * export, type by type. A change of one of these pages is a change that importers may notice. With `--check` only reports which pages are out of date, with
 * exit code 1.
 */
import { writeGenerated } from '../generated.ts';
import { contractOf, contractProblems } from './contract.ts';
import { exportsOf, type FileOf, keyOf, madeOf, type Place, textOf, withDeclarations } from './declarations.ts';

/** The files of the room `authoring` as pages of Markdown, by name. `fileOf` returns the declarations of the tree. */
function apiReport(fileOf: FileOf, doors: readonly string[]): ReadonlyMap<string, string> {
  return new Map(doors.map((door) => [door, pageOf(door, fileOf)]));
}

function pageOf(door: string, fileOf: FileOf): string {
  const exported = [...exportsOf(`authoring/${door}.ts`, fileOf)].sort(([a], [b]) => (a < b ? -1 : 1));
  const own = new Set(exported.map(([, place]) => keyOf(place)));
  const others = madeOf(
    exported.map(([, place]) => place),
    fileOf,
  )
    .filter((place) => !own.has(keyOf(place)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const block = (text: string): string => `\`\`\`ts\n${text}\n\`\`\``;
  return [
    `# \`firebreak/${door}\``,
    'What it exports, and the types that the exports are made of. Made from the declarations of the package: a change to this page is a change that importers may notice.',
    `## Exports`,
    ...exported.map(([name, place]) => block(renamed(name, place, fileOf))),
    ...(others.length > 0 ? ['## Made of', ...others.map((place) => block(textOf(place, fileOf)?.text ?? place.name))] : []),
  ].join('\n\n');
}

function renamed(name: string, place: Place, fileOf: FileOf): string {
  const text = textOf(place, fileOf)?.text ?? `from ${place.file}`;
  return name === place.name ? text : `${text}\n// as ${name}`;
}

if (process.argv[1] === import.meta.filename) {
  const { pages, contract } = withDeclarations((fileOf) => ({
    pages: apiReport(fileOf, ['playbook', 'actions', 'alerts', 'testing']),
    contract: contractOf(fileOf),
  }));
  for (const [door, page] of pages) {
    const text = `<!-- Generated from authoring/${door}.ts by \`npm run generate\`. Do not edit. -->\n\n${page}\n`;
    const problem =
      ': the exports of the package have changed. If that is intended, run `npm run generate`, and say in CHANGELOG.md what authors have to do.';
    writeGenerated({ path: `docs/api/${door}.md`, text, problem });
  }
  for (const problem of contractProblems(contract)) {
    process.stderr.write(`${problem}\n`);
    process.exitCode = 1;
  }
}
