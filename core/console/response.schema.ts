import { z } from 'zod';
import { severities } from '../alert/severity.ts';
import { modes, profiles, responses } from '../assessment/response.ts';

// Messages about what is done without asking: see console.schema.ts.

const text = z.string();
const count = z.int().min(0);
const policy = {
  mode: z.enum(modes),
  profile: z.enum(profiles),
  /** What happens if nobody answers. */
  onSilence: z.enum(['contain', 'nothing']),
};

/** Modes and scopes, as the configuration of the desk says. */
export const responseBody = z.object({
  cluster: text,
  ...policy,
  /** The first that matches holds. */
  scopes: z.array(
    z.object({
      /** Place in the configuration, from 1. */
      place: count,
      name: text.nullable(),
      /** What it asks for, in words. */
      asks: text,
      ...policy,
      /** It asks for labels of the workload: it only makes the response stronger. */
      onlyStronger: z.boolean(),
    }),
  ),
  /** Scopes for namespaces that the reader does not see. */
  hidden: count,
  protectedNamespaces: z.array(text),
});
export type ConsoleResponse = z.output<typeof responseBody>;

const asked = text.trim().min(1).max(200);
/** A field of a form that is left empty is not asked about. */
const optional = z.union([z.literal('').transform(() => undefined), asked]).exactOptional();

export const explainQuery = z.strictObject({
  namespace: asked,
  rule: asked,
  pod: optional,
  sensor: optional,
  severity: z.enum(severities).exactOptional(),
  /** A rule that fires in the same pod half a minute later. */
  secondRule: optional,
});

export const explainBody = z.object({
  namespace: text,
  /** `any`: any pod of the namespace; null: the rule is about no pod. */
  pod: text.nullable(),
  sensor: text,
  policy: z.object({ ...policy, scope: text }),
  cases: z.array(
    z.object({
      when: text,
      rule: text,
      severity: z.enum(severities),
      response: z.enum(responses),
      /** What would be done, in words. */
      effect: text,
      reasons: z.array(text),
      playbooks: z.array(z.object({ id: text, title: text })),
    }),
  ),
  limits: z.array(text),
});
export type ConsoleExplained = z.output<typeof explainBody>;

const wouldHaveSpans = ['1', '7', '28'] as const;
export const wouldHaveQuery = z.strictObject({
  /** How many days back. */
  days: z.enum(wouldHaveSpans).exactOptional(),
});

/** What mode `contain` would have done in modes `observe` and `ask`. */
export const wouldHaveBody = z.object({
  since: z.iso.datetime(),
  until: z.iso.datetime(),
  rows: z.array(
    z.object({
      ...{ cluster: text, namespace: text.nullable(), mode: z.enum(modes), scope: text },
      ...{ contain: count, right: count, wrong: count, open: count, heldBack: count, ask: count, pages: count },
      advice: z.object({ next: z.enum(modes).nullable(), why: text }),
    }),
  ),
  /** The newest first. */
  decisions: z.array(
    z.object({
      at: z.iso.datetime(),
      /** For its page. */
      incident: text.nullable(),
      ...{ namespace: text.nullable(), pod: text.nullable(), rule: text },
      would: z.enum(['contain', 'held back', 'ask']),
      judged: z.enum(['right', 'wrong', 'open']),
      reasons: z.array(text),
    }),
  ),
  /** Decisions that are not listed. */
  further: count,
  /** Lines for the configuration; null: the numbers call for no change. */
  snippet: text.nullable(),
  /** Records without a valid signature. */
  leftOut: count,
});
export type ConsoleWouldHave = z.output<typeof wouldHaveBody>;
