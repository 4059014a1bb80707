/** A block of code of a page, as its reader would copy it. */
export interface PageBlock {
  /** `sh`, `ts`, `json`, `text`, with what stands after it. */
  readonly kind: string;
  readonly lines: readonly string[];
}

/** The blocks of a page in their order, those within lists without their indentation. */
export function blocksOf(markdown: string): readonly PageBlock[] {
  return [...markdown.matchAll(/^( *)```(.+)\n([\s\S]*?)^ *```$/gm)].map(([, indent = '', kind = '', body = '']) => ({
    kind,
    lines: body
      .trimEnd()
      .split('\n')
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)),
  }));
}
