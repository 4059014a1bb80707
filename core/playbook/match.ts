import type { OpenTimes } from '../action/change-window.ts';
import type { Exposure } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { Duration } from './duration.ts';

/** A text with wildcards: see `glob`. */
export interface Glob {
  readonly glob: string;
}

/** A regular expression that takes linear time: see `regex`. */
export interface Regex {
  readonly regex: string;
  readonly ignoreCase?: true;
}

/** A text that has to be exactly this, or a pattern of it. */
export type TextPattern = string | Glob | Regex;

export type OneOrMore<T> = T | readonly T[];

/**
 * A text with wildcards: `*` stands for any text, `/` and none among them, and `?` for one character. The whole text has to match, by its case.
 *
 * @example on: { match: { rule: glob('Run shell*') }, … }
 */
export function glob(pattern: string): Glob {
  return { glob: pattern };
}

/**
 * A regular expression, which may match anywhere in the text. It takes linear time, so a text of an attacker can keep nothing busy: it means what it
 * means in JavaScript, without back references and without looking around. `definePlaybook` refuses what it cannot run.
 *
 * @example on: { match: { process: { arguments: regex('\\bxmrig\\b|--donate-level', { ignoreCase: true }) } }, … }
 */
export function regex(pattern: string, options: { readonly ignoreCase?: true } = {}): Regex {
  return { regex: pattern, ...options };
}

/** What an alert is about. */
export const alertPlaces = ['pod', 'workload', 'node', 'cluster'] as const;
export type AlertPlace = (typeof alertPlaces)[number];

/** What is counted together; `account`: who asked the API server, as its audit tells it. */
export type MatchPer = 'pod' | 'workload' | 'node' | 'cluster' | 'account';

/** Which alerts are meant. What is not known of an alert matches nothing, and its `not` matches nothing either. */
export interface MatchFields {
  readonly rule?: OneOrMore<TextPattern>;
  /** `falco`, `tetragon` … */
  readonly sensor?: OneOrMore<TextPattern>;
  readonly severity?: OneOrMore<Severity>;
  /** How bad the sensor itself called it, in its own words: `Warning` of Falco. */
  readonly priority?: OneOrMore<TextPattern>;
  readonly tag?: OneOrMore<TextPattern>;
  /** ATT&CK id: `T1059` with all that is below it, `T1059.004` alone. */
  readonly technique?: OneOrMore<string>;
  /** ATT&CK tactic, by its id or its name: `TA0006`, `credential_access`. */
  readonly tactic?: OneOrMore<string>;
  readonly node?: OneOrMore<TextPattern>;
  /** What it is about: a pod, a workload as a whole, a node outside of all pods, or nothing of these. Not known of a container whose pod nobody knows. */
  readonly place?: OneOrMore<AlertPlace>;
  /** Of the pod, the workload, or what a request to the API server is about. */
  readonly namespace?: OneOrMore<TextPattern>;
  /** Only where the cluster itself has told which workload it is. */
  readonly workload?: { readonly kind?: OneOrMore<TextPattern>; readonly name?: OneOrMore<TextPattern> };
  /** Of the pod: those that its workload gives to all its pods. */
  readonly labels?: Readonly<Record<string, OneOrMore<TextPattern>>>;
  readonly image?: {
    /** `docker.io` where the image names none. */
    readonly registry?: OneOrMore<TextPattern>;
    /** Without the registry: `library/redis`. */
    readonly repository?: OneOrMore<TextPattern>;
    readonly tag?: OneOrMore<TextPattern>;
    /** `sha256:` and 64 hexadecimal digits. */
    readonly digest?: OneOrMore<TextPattern>;
  };
  readonly process?: {
    readonly name?: OneOrMore<TextPattern>;
    /** Of the executable. */
    readonly path?: OneOrMore<TextPattern>;
    /** The command line. */
    readonly arguments?: OneOrMore<TextPattern>;
    readonly parent?: OneOrMore<TextPattern>;
    readonly user?: OneOrMore<TextPattern>;
  };
  /** Some container of the pod runs privileged. */
  readonly privileged?: boolean;
  /** By what the pod is reached; `none`: by nothing. */
  readonly exposure?: OneOrMore<Exposure | 'none'>;
  /**
   * It tells what was not seen before of its workload; `among-peers`: nor of others of its namespace or image. That it is nothing new cannot be asked: novelty
   * only ever raises how an alert is handled.
   */
  readonly novel?: true | 'among-peers';
  /** Alerts for which all else in this match holds came so often within this time, this one included. By the intake's clock; `per` is the workload if not said. */
  readonly count?: { readonly times: number; readonly within: Duration; readonly per?: MatchPer };
  /**
   * After an alert for which all else in this match holds, no alert that `of` means has come within this time: then it is told, once more. By the intake's clock;
   * `per` is the workload if not said.
   */
  readonly absent?: { readonly of: Match; readonly within: Duration; readonly per?: MatchPer };
  /** The intake took it at such a time, by the wall clock of a time zone. */
  readonly window?: { readonly timeZone: string; readonly open: readonly OpenTimes[] };
}

/** All fields of it hold; in a list any of its entries. `any`, `all` and `not` combine others. */
export interface Match extends MatchFields {
  readonly any?: readonly Match[];
  readonly all?: readonly Match[];
  readonly not?: Match;
}
