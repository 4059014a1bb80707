import type { Alert } from '../alert/alert.ts';
import { normalised, shown } from '../novelty/behaviour.ts';
import type { Confidence, RuleJudgement } from './rules/rule-judgement.ts';

/** Something that was done in a pod, however many rules have reported it. */
export interface Act {
  readonly atMs: number;
  readonly rule: string;
  /** Rule and program: by this it is recognised on other pods. */
  readonly key: string;
  /** The process, as exactly as the alert names it; empty if it names none. */
  readonly process: string;
  readonly confidence: Confidence;
  readonly isDebugging: boolean;
  readonly isSession: boolean;
  /** For people: `Terminal shell in container (bash)`. It may contain the attacker's words. */
  readonly what: string;
}

/** Alerts of the same process within this time are one act. */
const sameProcessMs = 1_000;

export function actOf(alert: Alert, atMs: number, { confidence, isDebugging = false, isSession = false }: RuleJudgement): Act {
  const { rule, sensor, process = {} } = alert;
  const program = process.name ?? process.exe?.split('/').at(-1);
  const text = [process.pid, process.name, process.commandLine].filter((part) => part !== undefined).join(' ');
  return {
    atMs,
    rule,
    key: `${sensor} ${normalised(rule)} | ${program === undefined ? '' : normalised(program)}`,
    process: text.slice(0, 300),
    confidence,
    isDebugging,
    isSession,
    what: program === undefined ? shown(rule) : `${shown(rule)} (${shown(program)})`,
  };
}

/** Whether two alerts report one act: the same rule again, or the same process within a second. */
export function isSameAct(one: Act, other: Act): boolean {
  if (one.rule === other.rule) return true;
  return one.process !== '' && one.process === other.process && Math.abs(one.atMs - other.atMs) <= sameProcessMs;
}
