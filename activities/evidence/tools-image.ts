import { parseReference } from '../../core/cluster/image-reference.ts';
import { FirebreakError } from '../../core/errors.ts';

/** The image of our own tools. A tag could be another image tomorrow. @throws FB_ERR_REFUSED if none is configured, or one without its digest. */
export function toolsImageOf(configured: string | undefined): string {
  if (configured === undefined)
    throw new FirebreakError('FB_ERR_REFUSED', 'no tools are configured: forensics.toolsImage names their image');
  if (parseReference(configured).digest === undefined)
    throw new FirebreakError('FB_ERR_REFUSED', 'the image of the tools is not pinned by its digest');
  return configured;
}
