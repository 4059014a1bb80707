/** A code block of a page, as a reader would copy it. */
export interface PageBlock {
  /** `sh`, `ts`, `json` or `text`, with what follows it on the line. */
  readonly kind: string;
  readonly lines: readonly string[];
}

/** Returns the blocks of a page in order, those inside lists without their indentation. */
export function blocksOf(markdown: string): readonly PageBlock[] {
  return [...markdown.matchAll(/^( *)```(.+)\n([\s\S]*?)^ *```$/gm)].map(([, indent = '', kind = '', body = '']) => ({
    kind,
    lines: body
      .trimEnd()
      .split('\n')
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)),
  }));
}
