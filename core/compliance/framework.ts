import type { MeasureId } from './measures.ts';

/** The part of one requirement that the records can show. */
export interface RequirementMapping {
  /** As the framework numbers it. */
  readonly id: string;
  /** What it asks for, in our words. */
  readonly asks: string;
  readonly measures: readonly MeasureId[];
  /** How Firebreak supports it, besides the numbers. Absent if it does not. */
  readonly shown?: string;
  /** What no record of Firebreak can show and must come from elsewhere. */
  readonly notShown: string;
}

export interface Framework {
  readonly id: string;
  readonly name: string;
  /** Where its text is, and the edition that the numbering follows. */
  readonly source: string;
  /** The parts that none of the requirements below covers. */
  readonly notListed: string;
  readonly requirements: readonly RequirementMapping[];
}
