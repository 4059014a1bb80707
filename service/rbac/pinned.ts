/** What a configuration says that the forensics pool's account can be held to. */
export interface Pinned {
  /** The image of our tools, by digest. Absent: any image by digest. */
  readonly toolsImage?: string;
  /** Where nothing is looked into, besides Firebreak's own namespace. */
  readonly closedNamespaces?: readonly string[];
}

/** The image is the configured one; where none is known, one by digest. */
export function imageIs(image: string, { toolsImage }: Pinned): string {
  return toolsImage === undefined ? `${image}.matches('^[^@]+@sha256:[0-9a-f]{64}$')` : `${image} == '${toolsImage}'`;
}
