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
/** As the process of a pack says it: of boxes and ways as many as a person can look at, and as can be laid out without keeping others waiting. */
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
 * Every way that playbooks of packs can go. None of their code runs here: a process without an environment, which may read the pack and Firebreak's code
 * alone, goes through every answer, as where a pack is described. It says what it has found as data; the picture is made of that here. Once for each playbook, one after
 * another, when somebody first looks.
 */
export class PackDrawings {
  readonly #packs: Config['packs'];
  readonly #waitsMs: number;
  readonly #known = new Map<string, Promise<Drawn>>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param waitsMs longer nobody looks at an empty page; meanwhile it is drawn. */
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
    if (!read.success) return because('It has too many ways to draw.');
    const { drawn: found } = read.data;
    if (!found) return because('No alert could be made up for it.');
    return { items: [{ alert: found.alert, ...shown(drawingOf(found.graph)) }], why: null };
  } catch (error) {
    return because(`Its ways could not be tried: ${visibleLine(error instanceof Error ? error.message : 'no reason is known')}`);
  }
}

/** What a body has printed stands in lines of its own. */
function answerIn(output: string): unknown {
  const lines: readonly Readonly<Record<string, unknown>>[] = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const answer = lines.find(({ printed }) => printed === undefined);
  if (answer?.value === undefined) throw new Error(String(answer?.mistake ?? answer?.detail ?? 'it says nothing'));
  return answer.value;
}

/** As the API has it: lists of its own. */
function shown({ boxes, ways, ...rest }: ReturnType<typeof drawingOf>): Omit<PlaybookDrawing, 'alert'> {
  return {
    ...rest,
    boxes: boxes.map((box) => ({ ...box, lines: [...box.lines] })),
    ways: ways.map(({ label, ...way }) => ({ ...way, label: label && { ...label, lines: [...label.lines] } })),
  };
}
