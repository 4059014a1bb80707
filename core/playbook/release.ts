import type { Right } from '../action/action.ts';
import { canonicalJson } from '../text/digest.ts';

/** What a publisher signs of one version of a pack: everything that is decided by, but for the code, which `integrity` stands for. */
export interface ReleaseStatement {
  readonly format: 1;
  readonly pack: string;
  /** Of the pack: `1.2.0`. */
  readonly version: string;
  /** `sha512-…` of paths and contents of its code. */
  readonly integrity: string;
  /** The module whose default export is the pack. */
  readonly main: string;
  /** Of the Firebreak that it was published with, and the id of the build of that and this pack alone. */
  readonly builtWith: { readonly firebreak: string; readonly build: string };
  /** Its envelopes, as the pack says them. */
  readonly playbooks: readonly unknown[];
  /** The declarations of its own actions, likewise. */
  readonly actions: readonly unknown[];
  /** What its actions need of the cluster. */
  readonly rights: readonly Right[];
  /** How many histories were replayed on it before: those of the pack, and those of incidents. */
  readonly replayed: { readonly golden: number; readonly incidents: number };
  /** How many of them go another way on it, some of them by name and step, and why its publisher wants it so. Absent: none. */
  readonly changed?: { readonly count: number; readonly histories: readonly string[]; readonly because: string };
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** A version as it is in the store: never changed, and nothing in it is believed without the signature of a publisher whom the configuration names. */
export interface PackRelease {
  readonly statement: ReleaseStatement;
  readonly keyId: string;
  /** Ed25519 over `releaseBytes`, base64. */
  readonly signature: string;
  /** Path in the pack → content in base64. */
  readonly files: Readonly<Record<string, string>>;
}

/** The bytes that a publisher signs. */
export function releaseBytes(statement: ReleaseStatement): Uint8Array {
  return new TextEncoder().encode(`firebreak.release.v1\n${canonicalJson(statement)}`);
}

/** What versions of packs look like that are published: three numbers, and a name for what comes before them (semver.org, without build metadata). */
export const releaseVersion = /^(?:0|[1-9]\d{0,5})(?:\.(?:0|[1-9]\d{0,5})){2}(?:-[0-9a-z][0-9a-z.-]{0,20})?$/;

export const packName = /^[a-z][a-z0-9-]{0,39}$/;

/** A build of workflows that a cell has made, as it is kept in the store for the day on which its disk is lost. */
export interface StoredBuild {
  readonly format: 1;
  readonly id: string;
  /** The cluster whose cell has made it. */
  readonly cluster: string;
  /** Of the code, in lower-case hex. */
  readonly sha256: string;
}

/** The bytes that the cell signs. */
export function storedBuildBytes(build: StoredBuild): Uint8Array {
  return new TextEncoder().encode(`firebreak.build.v1\n${canonicalJson(build)}`);
}
