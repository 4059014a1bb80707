import type { KeyWrap } from '../../core/evidence/incident-key.ts';
import type { Box } from './box.ts';

/** Wraps keys with a key from a file. */
export function boxWrap(box: Box): KeyWrap {
  return { seal: async (bytes, aad) => box.seal(bytes, aad), open: async (sealed, aad) => box.open(sealed, aad) };
}
