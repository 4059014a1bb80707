import type { Right } from '../action/action.ts';
import { canonicalJson } from '../text/digest.ts';

/** What a publisher signs for one version of a pack: everything on which decisions depend, except the code itself, which `integrity` covers. */
export interface ReleaseStatement {
  readonly format: 1;
  readonly pack: string;
  /** The pack's version: `1.2.0`. */
  readonly version: string;
  /** `sha512-…` over the paths and contents of its code. */
  readonly integrity: string;
  /** The module whose default export is the pack. */
  readonly main: string;
  /** The version of Firebreak that it was published with, and the id of the build of that version and this pack alone. */
  readonly builtWith: { readonly firebreak: string; readonly build: string };
  /** Its envelopes, as the pack declares them. */
  readonly playbooks: readonly unknown[];
  /** Its own actions, as the pack declares them. */
  readonly actions: readonly unknown[];
  /** Rights that its actions need in the cluster. */
  readonly rights: readonly Right[];
  /** Number of histories replayed on it before publication: the pack's own, and those of incidents. */
  readonly replayed: { readonly golden: number; readonly incidents: number };
  /** How many of them take a different course on it, some of them by name and step, and why the publisher accepts this. Absent: none. */
  readonly changed?: { readonly count: number; readonly histories: readonly string[]; readonly because: string };
  /** What the check found, and which incidents were not replayed, some of it in words, and why the publisher accepts it. Absent: nothing. */
  readonly despite?: { readonly count: number; readonly findings: readonly string[]; readonly because: string };
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** A version in the store: never changed, and trusted only with the signature of a publisher whom the configuration names. */
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

/** Format of published pack versions: three numbers, and an optional pre-release name (semver.org, without build metadata). */
export const releaseVersion = /^(?:0|[1-9]\d{0,5})(?:\.(?:0|[1-9]\d{0,5})){2}(?:-[0-9a-z][0-9a-z.-]{0,20})?$/;

export const packName = /^[a-z][a-z0-9-]{0,39}$/;

/** A workflow build made by a cell, stored in case the cell loses its disk. */
export interface StoredBuild {
  readonly format: 1;
  readonly id: string;
  /** The cluster whose cell made it. */
  readonly cluster: string;
  /** SHA-256 of the code, in lower-case hex. */
  readonly sha256: string;
}

/** The bytes that the cell signs. */
export function storedBuildBytes(build: StoredBuild): Uint8Array {
  return new TextEncoder().encode(`firebreak.build.v1\n${canonicalJson(build)}`);
}
