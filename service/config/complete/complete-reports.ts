import type { ReportInterval } from '../../../core/compliance/period.ts';
import type { ReportFormat } from '../../../core/compliance/report-file.ts';
import type { SecretRef } from '../fields.ts';
import type { FileConfig } from '../schema.ts';

type File = FileConfig['reports'][number];
type FileTarget = File['to'];

/** Where a report goes, with references to the credentials for it. */
type ReportTarget =
  | { readonly kind: 'folder'; readonly folder: string }
  | {
      readonly kind: 's3';
      readonly s3: Omit<NonNullable<FileTarget['s3']>, 'accessKeyId' | 'secretAccessKey'>;
      readonly accessKeyId: SecretRef;
      readonly secretAccessKey: SecretRef;
    }
  | { readonly kind: 'slack'; readonly channel: string }
  | {
      readonly kind: 'mail';
      readonly mail: Omit<NonNullable<FileTarget['mail']>, 'password' | 'caFile'>;
      readonly caFile?: string;
      readonly password?: SecretRef;
    };

export interface ReportConfig {
  readonly name: string;
  readonly framework: string;
  readonly every: ReportInterval;
  readonly cluster?: string;
  readonly format: ReportFormat;
  readonly to: ReportTarget;
}

export function completeReports(file: FileConfig['reports'], absolute: (path: string) => string): readonly ReportConfig[] {
  return file.map(({ to, ...report }) => ({ ...report, to: targetOf(to, absolute) }));
}

function targetOf({ folder, s3, slack, mail }: FileTarget, absolute: (path: string) => string): ReportTarget {
  if (folder !== undefined) return { kind: 'folder', folder: absolute(folder) };
  if (slack) return { kind: 'slack', channel: slack.channel };
  if (s3) {
    const { accessKeyId, secretAccessKey, ...place } = s3;
    return { kind: 's3', s3: place, accessKeyId, secretAccessKey };
  }
  if (mail) {
    const { password, caFile, ...rest } = mail;
    return {
      kind: 'mail',
      mail: rest,
      ...(caFile !== undefined && { caFile: absolute(caFile) }),
      ...(password && { password }),
    };
  }
  throw new TypeError('a report without a destination passed the check of the file');
}
