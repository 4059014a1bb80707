import type { OpenTimes } from '../action/change-window.ts';
import type { Exposure } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { ActKind } from '../assessment/rules/act-kinds.ts';
import type { Duration } from './duration.ts';

/** A text with wildcards: see `glob`. */
export interface Glob {
  readonly glob: string;
}

/** A regular expression that runs in linear time: see `regex`. */
export interface Regex {
  readonly regex: string;
  readonly ignoreCase?: true;
}

/** An exact text, or a pattern for it. */
export type TextPattern = string | Glob | Regex;

export type OneOrMore<T> = T | readonly T[];

/**
 * A text with wildcards: `*` stands for any text, including `/` and the empty text, and `?` for one character. The whole text must match, case-sensitively.
 *
 * @example on: { match: { rule: glob('Run shell*') }, … }
 */
export function glob(pattern: string): Glob {
  return { glob: pattern };
}

/**
 * A regular expression, which may match anywhere in the text. It runs in linear time, so an attacker's text cannot keep the CPU busy: JavaScript syntax,
 * without back references and lookaround. `definePlaybook` rejects what it cannot run.
 *
 * @example on: { match: { process: { arguments: regex('\\bxmrig\\b|--donate-level', { ignoreCase: true }) } }, … }
 */
export function regex(pattern: string, options: { readonly ignoreCase?: true } = {}): Regex {
  return { regex: pattern, ...options };
}

/** What an alert is about. */
export const alertPlaces = ['pod', 'workload', 'node', 'cluster'] as const;
export type AlertPlace = (typeof alertPlaces)[number];

/** What alerts are counted per; `account`: the API server's caller, according to its audit log. */
export type MatchPer = 'pod' | 'workload' | 'node' | 'cluster' | 'account';

/** Which alerts are matched. Unknown fields of an alert match nothing, and neither does `not` of them. */
export interface MatchFields {
  readonly rule?: OneOrMore<TextPattern>;
  /** `falco`, `tetragon` … */
  readonly sensor?: OneOrMore<TextPattern>;
  readonly severity?: OneOrMore<Severity>;
  /** The sensor's own priority, in its own words: `Warning` of Falco. */
  readonly priority?: OneOrMore<TextPattern>;
  readonly tag?: OneOrMore<TextPattern>;
  /** ATT&CK id: `T1059` includes its sub-techniques, `T1059.004` matches only itself. */
  readonly technique?: OneOrMore<string>;
  /** ATT&CK tactic, by id or name: `TA0006`, `credential_access`. */
  readonly tactic?: OneOrMore<string>;
  /**
   * What was done, whichever rule of whichever sensor reports it: by the sensor's rule table, what a policy of a user is about, the ATT&CK techniques, or the
   * program. Not known if none of them tells.
   *
   * @example on: { match: { act: ['miner', 'escape'] }, minSeverity: 'high', … }
   */
  readonly act?: OneOrMore<ActKind>;
  readonly node?: OneOrMore<TextPattern>;
  /** What the alert is about: a pod, a workload as a whole, a node outside of all pods, or none of these. Not known for a container whose pod is unknown. */
  readonly place?: OneOrMore<AlertPlace>;
  /** Namespace of the pod, the workload, or the object of a request to the API server. */
  readonly namespace?: OneOrMore<TextPattern>;
  /** Matches only if the cluster itself has identified the workload. */
  readonly workload?: { readonly kind?: OneOrMore<TextPattern>; readonly name?: OneOrMore<TextPattern> };
  /** Labels of the pod that its workload gives to all its pods. */
  readonly labels?: Readonly<Record<string, OneOrMore<TextPattern>>>;
  readonly image?: {
    /** `docker.io` if the image names none. */
    readonly registry?: OneOrMore<TextPattern>;
    /** Without the registry: `library/redis`. */
    readonly repository?: OneOrMore<TextPattern>;
    readonly tag?: OneOrMore<TextPattern>;
    /** `sha256:` and 64 hexadecimal digits. */
    readonly digest?: OneOrMore<TextPattern>;
  };
  readonly process?: {
    readonly name?: OneOrMore<TextPattern>;
    /** Path of the executable. */
    readonly path?: OneOrMore<TextPattern>;
    /** The command line. */
    readonly arguments?: OneOrMore<TextPattern>;
    readonly parent?: OneOrMore<TextPattern>;
    readonly user?: OneOrMore<TextPattern>;
  };
  /** Whether any container of the pod runs privileged. */
  readonly privileged?: boolean;
  /** How the pod can be reached; `none`: it cannot. */
  readonly exposure?: OneOrMore<Exposure | 'none'>;
  /**
   * The alert shows something not seen before at its workload; `among-peers`: nor at others of its namespace or image. Matching alerts that are not novel is
   * not possible: novelty only ever raises how an alert is handled.
   */
  readonly novel?: true | 'among-peers';
  /**
   * Alerts that meet all other conditions of this match came this many times within this time, including this one. By the intake's clock; `per` defaults to the
   * workload.
   */
  readonly count?: { readonly times: number; readonly within: Duration; readonly per?: MatchPer };
  /**
   * After an alert that meets all other conditions of this match, no alert matching `of` came within this time: then the alert is delivered once more. By the
   * intake's clock; `per` defaults to the workload.
   */
  readonly absent?: { readonly of: Match; readonly within: Duration; readonly per?: MatchPer };
  /** The intake received it at such a time, by the wall clock of a time zone. */
  readonly window?: { readonly timeZone: string; readonly open: readonly OpenTimes[] };
}

/** All of its fields must hold; in a list, any entry is enough. `any`, `all` and `not` combine other matches. */
export interface Match extends MatchFields {
  readonly any?: readonly Match[];
  readonly all?: readonly Match[];
  readonly not?: Match;
}
