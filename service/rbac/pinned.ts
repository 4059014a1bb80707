/** What a configuration says that the forensics pool's account can be held to. */
export interface Pinned {
  /** The image of our tools, by digest. Absent: any image by digest. */
  readonly toolsImage?: string;
  /** Where the tools may send to: `https://HOST:PORT`. Absent: nowhere. */
  readonly uploads?: string;
  /** Where nothing is looked into, besides Firebreak's own namespace. */
  readonly closedNamespaces?: readonly string[];
}

/** The image is the configured one; where none is known, one by digest. */
export function imageIs(image: string, { toolsImage }: Pinned): string {
  return toolsImage === undefined ? `${image}.matches('^[^@]+@sha256:[0-9a-f]{64}$')` : `${image} == '${toolsImage}'`;
}

/** A command of our tools sends to the configured address only: they know no other scheme. */
export function sendsOnlyTo(command: string, { uploads }: Pinned): string {
  const address = `c.lowerAscii().matches('^(--?upload=)?https:')`;
  return `${command}.all(c, !${address}${uploads === undefined ? '' : ` || c.startsWith('${uploads}/uploads/')`})`;
}
