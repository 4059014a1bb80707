import { openUploadDoor, type UploadDoor, type UploadRefusal } from '../../../integrations/uploads/door.ts';
import { listening } from '../../config/listening.ts';
import type { Config } from '../../config/load.ts';
import type { Logger } from '../../process/log.ts';
import { RefusalCounts } from '../../process/refusal-counts.ts';

const reasons: Readonly<Record<UploadRefusal['status'], string>> = {
  403: 'another token',
  404: 'no upload is expected there',
  405: 'not a PUT',
  409: 'a second use',
  413: 'too much',
};

/** Opens the door where pods upload evidence, if the configuration says so. @throws FB_ERR_CONFIG_INVALID if it cannot listen there. */
export async function openDoor({
  config,
  log,
  everyMs,
}: {
  readonly config: Pick<Config, 'forensics'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Milliseconds between reports of refusals. */
  readonly everyMs?: number;
}): Promise<UploadDoor | undefined> {
  const { uploads, toolsImage } = config.forensics;
  if (!uploads) {
    if (toolsImage !== undefined)
      log.info('forensics.uploads is not configured: files and memory are read through the API server, which is slower');
    return undefined;
  }
  const refusals = new RefusalCounts({
    tell: (refused) => log.warn({ ...refused }, 'refused uploads of evidence'),
    ...(everyMs !== undefined && { everyMs }),
  });
  const door = await listening('forensics.uploads.listen', uploads.listen, () =>
    openUploadDoor({
      ...uploads.listen,
      address: uploads.address,
      onRefused: ({ status }) => refusals.count('uploads', reasons[status]),
    }),
  );
  log.info({ origin: door.origin, certificate: door.certificateSha256 }, 'accepting uploads of evidence');
  return {
    ...door,
    close: async () => {
      await door.close();
      refusals.flush();
    },
  };
}
