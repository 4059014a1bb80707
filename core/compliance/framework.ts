import type { MeasureId } from './measures.ts';

/** What of one requirement the records can show. */
export interface RequirementMapping {
  /** As the framework numbers it. */
  readonly id: string;
  /** What it asks for, in our words. */
  readonly asks: string;
  readonly measures: readonly MeasureId[];
  /** How Firebreak serves it, beside the numbers. Absent where it does not. */
  readonly shown?: string;
  /** What no record of Firebreak can show, and has to come from elsewhere. */
  readonly notShown: string;
}

export interface Framework {
  readonly id: string;
  readonly name: string;
  /** Where its text is, and by which edition the numbers go. */
  readonly source: string;
  /** What of it no requirement below stands for. */
  readonly notListed: string;
  readonly requirements: readonly RequirementMapping[];
}
