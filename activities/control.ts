import type { Level } from '../core/approval.ts';
import type { ControlActivities } from '../core/control.ts';
import { signedReadEvidenceSchema } from '../core/evidence-access.schema.ts';
import { signedEndSchema, signedProposalSchema } from '../core/suppression.schema.ts';
import type { SignedEnd, SignedProposal } from '../core/suppression.ts';
import { type Beliefs, checkEnd, checkProposal, checkReading, isFresh } from '../core/suppression-check.ts';

const malformed = { ok: false, reason: 'This order is not of the form that is known.' } as const;

/** What the control workflow asks of the cell: whether an order from outside is signed by who may give it. */
export function createControlActivities(parts: {
  readonly beliefs: () => Beliefs;
  /** Who is asked about a suppression. */
  readonly levels: readonly Level[];
}): ControlActivities {
  const { beliefs, levels } = parts;
  return {
    checkProposal: async (signed) => {
      const parsed = signedProposalSchema.safeParse(signed);
      if (!parsed.success) return malformed;
      const order: SignedProposal = parsed.data;
      const believed = beliefs();
      const checked = checkProposal(order, believed);
      if (!checked.ok) return checked;
      if (!isFresh(order.order.terms.from, believed.now))
        return { ok: false, reason: 'It was signed at another time: propose it anew.' };
      return { ok: true, order, name: checked.person.name, levels };
    },
    checkEnd: async (signed) => {
      const parsed = signedEndSchema.safeParse(signed);
      if (!parsed.success) return malformed;
      const order: SignedEnd = parsed.data;
      const checked = checkEnd(order, beliefs());
      return checked.ok ? { ok: true, order, name: checked.person.name, levels } : checked;
    },
    checkReading: async (signed) => {
      const parsed = signedReadEvidenceSchema.safeParse(signed);
      if (!parsed.success) return malformed;
      const checked = checkReading(parsed.data, beliefs());
      return checked.ok ? { ok: true, order: parsed.data, name: checked.person.name, levels } : checked;
    },
  };
}
