import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { SecretRef } from '../config/load.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, ok, warning } from './diagnosis.ts';
import { isPrivateKey, namedFiles } from './reach.ts';

const dayMs = 86_400_000;
const soonDays = 21;
const oldDays = 365;

export const keyChecks: readonly DoctorCheck[] = [
  { name: 'certificates', run: certificates },
  { name: 'keys', run: keys },
];

/** Each certificate of a file that the configuration names; that of the kubeconfig is the API server's to refuse. */
async function certificates({ config, roles }: Examined): Promise<readonly LookResult[]> {
  const { tls } = config.temporal;
  const files: readonly (readonly [string, string | undefined])[] = [
    ['temporal.tls.caFile', fileOf(tls?.ca)],
    ['temporal.tls.certFile', fileOf(tls?.cert)],
    ...(roles.includes('cell')
      ? ([
          ['intake.tls.certFile', config.intake.tls?.certFile],
          ['intake.tls.clientCaFile', config.intake.tls?.clientCaFile],
        ] as const)
      : []),
  ];
  const found = await Promise.all(files.map(([path, file]) => (file === undefined ? [] : endOf(path, file))));
  const outcomes = found.flat();
  return outcomes.length > 0 ? outcomes : [ok('the configuration names none')];
}

function fileOf(ref: SecretRef | undefined): string | undefined {
  return ref && 'file' in ref ? ref.file : undefined;
}

async function endOf(path: string, file: string): Promise<readonly LookResult[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return [failure(`${path}: ${file} holds no certificate that can be read`, 'Put one there, as PEM.')];
  const ends = blocks.map((block) => new X509Certificate(block).validToDate.getTime());
  const days = Math.floor((Math.min(...ends) - Date.now()) / dayMs);
  const remedy = 'Renew it; a file that changes is read again without a restart.';
  if (days < 0) return [failure(`${path} has ended ${-days} days ago`, remedy)];
  if (days < soonDays) return [warning(`${path} ends in ${days} days`, remedy)];
  return [ok(`${path} ends in ${days} days`)];
}

/** By the time of the file, which a copy or a mount may have made younger. */
async function keys(examined: Examined): Promise<readonly LookResult[]> {
  const ages = await Promise.all(
    namedFiles(examined)
      .filter(isPrivateKey)
      .map(async ({ path, file }) => {
        const made = await stat(file).then(
          ({ mtimeMs }) => mtimeMs,
          () => undefined,
        );
        return made === undefined ? [] : [{ path, days: Math.floor((Date.now() - made) / dayMs) }];
      }),
  );
  const known = ages.flat();
  const old = known.filter(({ days }) => days > oldDays);
  if (old.length > 0)
    return old.map(({ path, days }) =>
      warning(
        `${path} is ${days} days old`,
        'Change it as docs/operations.md says under Keys: the new public half next to the old one first.',
      ),
    );
  const oldest = Math.max(0, ...known.map(({ days }) => days));
  return [ok(known.length === 0 ? 'none is made yet' : `${known.length} keys, the oldest ${oldest} days by its file`)];
}
