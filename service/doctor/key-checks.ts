import { stat } from 'node:fs/promises';
import { openedSection } from '../../core/config/fields.schema.ts';
import type { Role } from '../config/secrets.ts';
import { type DoctorCheck, type Examined, type LookResult, ok, warning } from './diagnosis.ts';
import { isPrivateKey, namedFiles } from './reach.ts';

const dayMs = 86_400_000;
const oldDays = 365;

export const keyChecks: readonly DoctorCheck[] = [{ name: 'keys', run: keys }];

/** Uses the file's time, which a copy or a mount may have made newer. */
async function keys(examined: Examined): Promise<readonly LookResult[]> {
  const ages = await Promise.all(
    [...ourKeys(examined), ...theirSecrets(examined)].map(async ({ path, file, isTheirs }) => {
      const made = await stat(file).then(
        ({ mtimeMs }) => mtimeMs,
        () => undefined,
      );
      return made === undefined ? [] : [{ path, isTheirs, days: Math.floor((Date.now() - made) / dayMs) }];
    }),
  );
  const known = ages.flat();
  const old = known.filter(({ days }) => days > oldDays);
  if (old.length > 0)
    return old.map(({ path, isTheirs, days }) =>
      warning(
        `${path} is ${days} days old`,
        isTheirs
          ? 'Create a new one where it comes from, and put it into the file.'
          : 'Replace it as `firebreak docs operations` says under Keys: first add the new public half next to the old one.',
      ),
    );
  const oldest = Math.max(0, ...known.map(({ days }) => days));
  return [ok(known.length === 0 ? 'none exists yet' : `${known.length} keys, the oldest ${oldest} days old by its file`)];
}

interface AgingFile {
  readonly path: string;
  readonly file: string;
  /** Issued by somebody else, such as Slack. */
  readonly isTheirs: boolean;
}

function ourKeys(examined: Examined): readonly AgingFile[] {
  return namedFiles(examined)
    .filter(isPrivateKey)
    .map(({ path, file }) => ({ path, file, isTheirs: false }));
}

/** Secrets of these roles that are stored in files, such as Slack's signing secret. The age of one in the environment is unknown. */
function theirSecrets({ config, roles }: Examined): readonly AgingFile[] {
  const { slack, stepUp, tickets, paging, streams, audit, intake, actions, evidence, rotation, temporal } = config;
  const sections: readonly (readonly [whose: readonly Role[], sections: object])[] = [
    [['desk'], { slack, stepUp, tickets, paging, streams, audit: { url: audit.url } }],
    [['cell'], { intake, actions }],
    [['cell', 'forensics'], { evidence }],
    [['secrets'], { rotation }],
    [roles, { temporal: { apiKey: temporal.apiKey, codecKeys: temporal.codecKeys } }],
  ];
  const files: AgingFile[] = [];
  for (const [whose, section] of sections)
    if (whose.some((role) => roles.includes(role)))
      openedSection(section, '', (path, ref) => {
        if ('file' in ref) files.push({ path, file: ref.file, isTheirs: true });
        return '';
      });
  return files;
}
