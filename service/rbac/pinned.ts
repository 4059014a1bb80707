/** Configured values to which the forensics pool's account can be restricted. */
export interface Pinned {
  /** The image of our tools, by digest. Absent: any image by digest. */
  readonly toolsImage?: string;
  /** Where the tools may upload to: `https://HOST:PORT`. Absent: nowhere. */
  readonly uploads?: string;
  /** Namespaces that are never inspected, in addition to Firebreak's own. `*` stands for any characters. */
  readonly closedNamespaces?: readonly string[];
}

/** The image is the configured one; if none is known, any image by digest. */
export function imageIs(image: string, { toolsImage }: Pinned): string {
  return toolsImage === undefined ? `${image}.matches('^[^@]+@sha256:[0-9a-f]{64}$')` : `${image} == '${toolsImage}'`;
}

/** A command of our tools uploads only to the configured address: they support no other scheme. */
export function sendsOnlyTo(command: string, { uploads }: Pinned): string {
  const address = `c.lowerAscii().matches('^(--?upload=)?https:')`;
  return `${command}.all(c, !${address}${uploads === undefined ? '' : ` || c.startsWith('${uploads}/uploads/')`})`;
}
