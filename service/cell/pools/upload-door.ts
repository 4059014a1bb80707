import { openUploadDoor, type UploadDoor } from '../../../integrations/uploads/door.ts';
import { listening } from '../../config/listening.ts';
import type { Config } from '../../config/load.ts';
import type { Logger } from '../../process/log.ts';

/** Where pods bring evidence, if the configuration says so. @throws FB_ERR_CONFIG_INVALID when it cannot listen there. */
export async function openDoor({
  config,
  log,
}: {
  readonly config: Config;
  readonly log: Logger;
}): Promise<UploadDoor | undefined> {
  const { uploads, toolsImage } = config.forensics;
  if (!uploads) {
    if (toolsImage !== undefined)
      log.info('files and memory come through the API server, which is slower: forensics.uploads is not configured');
    return undefined;
  }
  const door = await listening('forensics.uploads.listen', uploads.listen, () =>
    openUploadDoor({
      ...uploads.listen,
      address: uploads.address,
      onRefused: (refusal) => log.warn({ ...refusal }, 'an upload of evidence was refused'),
    }),
  );
  log.info({ origin: door.origin, certificate: door.certificateSha256 }, 'evidence can be uploaded');
  return door;
}
