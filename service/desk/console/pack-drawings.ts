import { setTimeout as after } from 'node:timers/promises';
import { z } from 'zod';
import type { PlaybookDrawing } from '../../../core/console/console.schema.ts';
import { visibleLine } from '../../../core/text/visible-text.ts';
import { drawingOf } from '../../../testing/graph-layout.ts';
import type { Config } from '../../config/load.ts';
import { readPack } from '../../packs/pack-files.ts';
import { runPackProgram } from '../../packs/pack-program.ts';

interface Drawn {
  readonly items: PlaybookDrawing[];
  readonly why: string | null;
}

const text = z.string().max(2_000);
/** The output of a pack's process: limited to as many boxes and ways as a person can look at, and as can be laid out without delaying others. */
const told = z.object({
  drawn: z
    .object({
      alert: text,
      graph: z.object({
        nodes: z
          .array(z.object({ id: text, kind: z.enum(['alert', 'step', 'destructive', 'question', 'end']), text }))
          .min(1)
          .max(150),
        edges: z.array(z.object({ from: text, to: text, label: text })).max(300),
      }),
    })
    .optional(),
});

/**
 * Draws every way that packs' playbooks can go. None of their code runs here: as when a pack is described, a process without an environment, which may only
 * read the pack and Firebreak's code, tries every answer. It returns its findings as data, and the picture is made from them here. Once per playbook, one at a
 * time, on first use.
 */
export class PackDrawings {
  readonly #packs: Config['packs'];
  readonly #waitsMs: number;
  readonly #known = new Map<string, Promise<Drawn>>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param waitsMs maximum time that a person looks at an empty page; drawing continues meanwhile. */
  constructor(packs: Config['packs'], waitsMs = 15_000) {
    this.#packs = packs;
    this.#waitsMs = waitsMs;
  }

  async of(playbook: string | undefined): Promise<Drawn> {
    const pack = this.#packs.find(({ playbooks }) => playbooks.some(({ id }) => id === playbook));
    if (!pack || playbook === undefined) return { items: [], why: null };
    const known = this.#known.get(playbook) ?? this.#last.then(() => drawn(pack, playbook));
    this.#known.set(playbook, known);
    this.#last = known;
    const meanwhile: Drawn = { items: [], why: 'It is being drawn. Open this page again in a minute.' };
    return Promise.race([known, after(this.#waitsMs, meanwhile, { ref: false })]);
  }
}

async function drawn(pack: Config['packs'][number], playbook: string): Promise<Drawn> {
  const because = (why: string): Drawn => ({ items: [], why });
  try {
    const files = readPack(pack.source);
    if (files.integrity !== pack.integrity) return because('The pack has changed since Firebreak was started.');
    const asked = { call: 'graph', asked: { id: playbook } };
    const answer = answerIn(await runPackProgram(files, 'service/simulation/sandbox-main', asked));
    const read = told.safeParse(answer);
    if (!read.success) return because('It has too many paths to draw.');
    const { drawn: found } = read.data;
    if (!found) return because('No alert could be made up for it.');
    return { items: [{ alert: found.alert, ...shown(drawingOf(found.graph)) }], why: null };
  } catch (error) {
    return because(`Its paths could not be tried: ${visibleLine(error instanceof Error ? error.message : 'no reason is known')}`);
  }
}

/** Anything that a body prints is on lines of its own. */
function answerIn(output: string): unknown {
  const lines: readonly Readonly<Record<string, unknown>>[] = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const answer = lines.find(({ printed }) => printed === undefined);
  if (answer?.value === undefined) throw new Error(String(answer?.mistake ?? answer?.detail ?? 'it returned nothing'));
  return answer.value;
}

/** In the form of the API, with copied lists. */
function shown({ boxes, ways, ...rest }: ReturnType<typeof drawingOf>): Omit<PlaybookDrawing, 'alert'> {
  return {
    ...rest,
    boxes: boxes.map((box) => ({ ...box, lines: [...box.lines] })),
    ways: ways.map(({ label, ...way }) => ({ ...way, label: label && { ...label, lines: [...label.lines] } })),
  };
}
