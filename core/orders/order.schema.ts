import { z } from 'zod';
import { severities } from '../alert/severity.ts';
import { regimes, stages } from '../compliance/notification.ts';
import { evidenceClasses } from '../evidence/evidence.ts';
import { problemsOfMatch } from '../playbook/match-problems.ts';
import { packName, releaseVersion } from '../playbook/release.ts';
import { longestReason } from '../text/reason.ts';
import { startModes } from './incident-order.ts';
import { promotionStages } from './promotion.ts';
import { restraintModes } from './restraint.ts';
import { narrowing } from './suppression.ts';

// Anyone who can reach Temporal can send anything: the required shape of each kind of order.

/** Maximum in characters. The subject of an order may take at most half of them. */
const longestMatch = 4_000;

const text = (max: number) => z.string().min(1).max(max);
const time = z.iso.datetime();
const id = z.string().regex(/^[0-9a-f]{16}$/);
const reason = text(longestReason);
const given = { version: z.literal(1), person: text(100), at: time };
const cluster = text(100);
const via = z.literal('slack').exactOptional();
const terms = { version: z.literal(1), id, cluster, owner: text(100), reason, from: time, until: time };

const suppressionPropose = z.strictObject({
  ...given,
  kind: z.literal('suppression.propose'),
  terms: z.strictObject({
    ...terms,
    match: z
      .strictObject({
        rule: text(300),
        namespace: text(63),
        workload: z.strictObject({ kind: text(63), name: text(253) }),
        image: z.strictObject({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) }),
        ...Object.fromEntries(narrowing.map((field) => [field, z.json().exactOptional()])),
      })
      .refine((match) => JSON.stringify(match).length <= longestMatch && problemsOfMatch(match).length === 0, {
        error: 'it is not a match that can be run',
      }),
    upTo: z.enum(severities),
  }),
  via,
  actors: z.array(text(100)).max(1_000).exactOptional(),
});

const restraintPropose = z.strictObject({
  ...given,
  kind: z.literal('restraint.propose'),
  terms: z.strictObject({
    ...terms,
    mode: z.enum(restraintModes),
    scope: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('cluster') }),
      z.strictObject({ kind: z.literal('namespace'), name: text(63) }),
      z.strictObject({ kind: z.literal('playbook'), name: text(100) }),
      z.strictObject({ kind: z.literal('incident'), name: text(500) }),
    ]),
  }),
  via,
});

const promotionPropose = z.strictObject({
  ...given,
  kind: z.literal('promotion.propose'),
  terms: z
    .strictObject({
      ...terms,
      pack: z.string().regex(packName),
      release: z.string().regex(releaseVersion),
      integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
      stage: z.enum(promotionStages),
      percent: z.int().min(1).max(99).exactOptional(),
      widens: z.array(text(1_000)).max(200),
    })
    .refine(({ stage, percent }) => (stage === 'percent') === (percent !== undefined)),
  via,
});

const end = z.strictObject({
  ...given,
  kind: z.enum(['suppression.end', 'restraint.end', 'promotion.end']),
  cluster,
  decision: id,
  reason,
  via,
});

const readEvidence = z.strictObject({
  ...given,
  kind: z.literal('evidence.read'),
  cluster,
  incident: text(1_000),
  addresses: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .min(1)
    .max(500),
  reason,
});

const exportIncident = z.strictObject({
  ...given,
  kind: z.literal('incident.export'),
  cluster,
  incident: text(1_000),
  run: text(100),
  bundle: z.string().regex(/^[0-9a-f]{64}$/),
  artefacts: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(500),
  reason,
});

const rerunIncident = z.strictObject({
  ...given,
  kind: z.literal('incident.rerun'),
  cluster,
  incident: text(1_000),
  run: text(100),
  reason,
});

const evidenceOrder = z.strictObject({
  ...given,
  kind: z.enum(['evidence.destroy', 'evidence.hold', 'evidence.unhold']),
  cluster,
  incident: text(1_000),
  reason,
  run: text(100).exactOptional(),
  classes: z.array(z.enum(evidenceClasses)).min(1).max(evidenceClasses.length).exactOptional(),
});

const startIncident = z.strictObject({
  ...given,
  kind: z.literal('incident.start'),
  terms: z.strictObject({
    version: z.literal(1),
    id,
    cluster,
    wish: z.enum(startModes),
    pod: z.strictObject({ namespace: text(63), name: text(253) }),
    severity: z.enum(severities),
    reason,
    link: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .exactOptional(),
  }),
  via,
});

const holdRecords = z.strictObject({
  ...given,
  kind: z.literal('records.hold'),
  cluster,
  hold: id,
  scope: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('incident'), incident: text(1_000), run: text(100).exactOptional() }),
    z.strictObject({ kind: z.literal('time'), from: time, until: time }),
  ]),
  reason,
});

const unholdRecords = z.strictObject({ ...given, kind: z.literal('records.unhold'), cluster, hold: id, reason });

const aboutDeadlines = {
  ...given,
  cluster,
  incident: text(1_000),
  run: text(100),
  regime: z.enum(regimes),
  via,
};
const startDeadlines = z.strictObject({ ...aboutDeadlines, kind: z.literal('deadline.start'), awareAt: time, reason });
const notificationSent = z.strictObject({
  ...aboutDeadlines,
  kind: z.literal('deadline.sent'),
  stage: z.enum(stages),
  sentAt: time,
  reference: text(200),
});
const measureAvailable = z.strictObject({ ...aboutDeadlines, kind: z.literal('deadline.measure'), availableAt: time, reason });
const stopDeadlines = z.strictObject({ ...aboutDeadlines, kind: z.literal('deadline.stop'), reason });
const removeContent = z.strictObject({
  ...given,
  kind: z.literal('records.remove'),
  cluster,
  removal: id,
  chain: text(1_200),
  records: z.array(z.int().min(1)).min(1).max(1_000),
  reason,
});

const signed = <Given extends z.ZodType>(order: Given) => z.strictObject({ order, keyId: text(100), signature: text(200) });

export const signedProposalSchema = z.union([signed(suppressionPropose), signed(restraintPropose), signed(promotionPropose)]);
export const signedEndSchema = signed(end).extend({ idToken: text(20_000).exactOptional() });
export const signedEvidenceOrderSchema = signed(evidenceOrder);
/** Orders that are accepted at once. Orders about kept evidence and records are separate: their store may make the caller wait. */
export const signedOrderSchema = z.union([
  signedProposalSchema,
  signedEndSchema,
  signed(readEvidence),
  signed(exportIncident),
  signed(holdRecords),
  signed(unholdRecords),
  signed(startDeadlines),
  signed(notificationSent),
  signed(measureAvailable),
  signed(stopDeadlines),
  signed(removeContent),
  signed(startIncident),
  signed(rerunIncident),
]);
