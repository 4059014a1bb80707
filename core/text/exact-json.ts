/**
 * Parses JSON, with every integer beyond 2^53 as a string of its digits, exactly as written; `JSON.parse` rounds them.
 *
 * @throws SyntaxError for what is not JSON
 */
export function parseExactly(text: string): unknown {
  // A text that is not JSON must fail here, not be repaired by the quotes added below.
  const value: unknown = JSON.parse(text);
  if (!/\d{16}/.test(text)) return value;
  return JSON.parse(
    text.replace(longNumbers, (whole: string, digits: string | undefined) => {
      return digits === undefined || Number.isSafeInteger(Number(digits)) ? whole : `"${digits}"`;
    }),
  );
}

/** A string or a number; only integers of 16 digits or more are captured. */
const longNumbers = /"[^"\\]*(?:\\.[^"\\]*)*"|(-?\d{16,})(?![\d.eE])|-?\d[\d.eE+-]*/gs;
