import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../core/system-error.ts';
import { openSigner, openVerifier } from '../../integrations/keys/ed25519.ts';
import type { ConfigProblem } from '../config/problems.ts';
import { missingSecrets, type Role } from '../config/secrets.ts';
import { openClusterApi } from '../process/cluster-api.ts';
import { readRandomKey } from '../process/keys/key-files.ts';
import { openConnection } from '../temporal/access.ts';
import { type DoctorCheck, type Examined, ofProblem, ok, reasonWhy } from './diagnosis.ts';

const answerWithinMs = 5_000;

/** What must be available before anything else can be checked. */
export const reachChecks: readonly DoctorCheck[] = [
  {
    name: 'secrets',
    run: async (examined) => {
      const missing = missingSecrets(examined);
      return missing.length > 0 ? missing.map(ofProblem) : [ok('all that these roles need are set')];
    },
  },
  {
    name: 'files',
    run: async (examined) => {
      const problems = await fileProblems(examined);
      return problems.length > 0 ? problems.map(ofProblem) : [ok('all that the configuration names are readable')];
    },
  },
];

/** Problems that starting these roles would run into: tries connections and changes nothing. Databases, stores and external services are not contacted. */
export async function connectProblems(examined: Examined): Promise<readonly ConfigProblem[]> {
  const found = await Promise.all([fileProblems(examined), temporalProblems(examined), clusterProblems(examined)]);
  return found.flat();
}

interface NamedFile {
  readonly path: string;
  readonly file: string;
  /** Reads the file in its expected format. */
  readonly open: (file: string) => Promise<unknown>;
}

const asSigner = (file: string) => openSigner({ file });
const asPublicKey = (file: string) => openVerifier({ files: [file] });
const asText = (file: string) => readFile(file);

/** Returns whether it is a key that must stay secret. */
export function isPrivateKey({ open }: NamedFile): boolean {
  return open === asSigner || open === readRandomKey;
}

/** Files that the configuration names for these roles, or that the first start creates in the state directory. */
export function namedFiles({ config, roles }: Examined): readonly NamedFile[] {
  const { desk, evidence, intake, keys, trust, audit, rotation, images, stepUp } = config;
  const has = (...some: readonly Role[]): boolean => some.some((role) => roles.includes(role));
  const one = (path: string, file: string | undefined, open: NamedFile['open']): readonly NamedFile[] =>
    file === undefined ? [] : [{ path, file, open }];
  const each = (path: string, files: readonly string[], open: NamedFile['open']): readonly NamedFile[] =>
    files.map((file, index) => ({ path: `${path}[${index}]`, file, open }));
  return [
    ...(has('cell')
      ? [
          ...one('keys.cellKeyFile', keys.cellKeyFile, readRandomKey),
          ...one('keys.signing.cell', keys.signing.cell, asSigner),
          ...one('intake.tls.certFile', intake.tls?.certFile, asText),
          ...one('intake.tls.keyFile', intake.tls?.keyFile, asText),
          ...one('intake.tls.clientCaFile', intake.tls?.clientCaFile, asText),
        ]
      : []),
    ...(has('secrets')
      ? [
          ...one('keys.signing.secrets', keys.signing.secrets, asSigner),
          ...one('rotation.aws.webIdentity.tokenFile', rotation.aws?.webIdentity?.tokenFile, asText),
          ...images.trust.flatMap((rule, index) => [
            ...each(`images.trust[${index}].keys`, rule.keys, asText),
            ...one(`images.trust[${index}].trustedRoot`, rule.trustedRoot, asText),
          ]),
          ...images.registries.flatMap(({ caFile }, index) => one(`images.registries[${index}].caFile`, caFile, asText)),
        ]
      : []),
    ...(has('forensics') ? one('keys.signing.forensics', keys.signing.forensics, asSigner) : []),
    ...(has('packs') && config.packs.some(({ actions }) => actions.length > 0)
      ? one('keys.signing.packs', keys.signing.packs, asSigner)
      : []),
    ...(has('cell', 'forensics') && !evidence.vault
      ? [
          ...one('evidence.keyFile', evidence.keyFile, asSigner),
          ...one('evidence.wrapKeyFile', evidence.wrapKeyFile, readRandomKey),
        ]
      : []),
    ...(has('desk')
      ? [
          ...one('desk.voteKeyFile', desk.voteKeyFile, asSigner),
          ...one('audit.notaryKeyFile', audit.notaryKeyFile, asSigner),
          ...one('stepUp.jwksFile', stepUp?.jwksFile, asText),
        ]
      : []),
    ...each('audit.retiredNotaryKeys', audit.retiredNotaryKeys, asPublicKey),
    ...each('desk.votePublicKeys', desk.votePublicKeys, asPublicKey),
    ...trust.cells.flatMap(({ key }, index) => one(`trust.cells[${index}].key`, key, asPublicKey)),
    ...each('trust.secrets', trust.secrets, asPublicKey),
    ...each('trust.forensics', trust.forensics, asPublicKey),
    ...each('trust.packs', trust.packs, asPublicKey),
  ];
}

async function fileProblems(examined: Examined): Promise<readonly ConfigProblem[]> {
  const { stateDir } = examined.config;
  const named = namedFiles(examined).filter(({ file }) => !file.startsWith(`${stateDir}/`));
  const found = await Promise.all(
    named.map(async ({ path, file, open }): Promise<ConfigProblem | undefined> => {
      const problem = await whyNot(() => open(file), `the file ${file} cannot be read`);
      return problem === undefined
        ? undefined
        : { path, problem, remedy: 'Put it there, readable by the user that runs Firebreak, or name another.' };
    }),
  );
  return [...found.flatMap((problem) => problem ?? []), ...(await stateProblems(stateDir))];
}

/** Checks the state directory, or the folder that it would be created in. */
async function stateProblems(stateDir: string): Promise<readonly ConfigProblem[]> {
  for (let folder = stateDir; ; folder = dirname(folder)) {
    const code = await access(folder, constants.W_OK | constants.X_OK).then(() => undefined, systemErrorCode);
    if (code === undefined) return [];
    if (code === 'ENOENT' && dirname(folder) !== folder) continue;
    const problem = `nothing can be written to ${folder} (${code})`;
    return [{ path: 'stateDir', problem, remedy: 'Name a folder of the user that runs Firebreak, on a local disk.' }];
  }
}

async function temporalProblems({ config, env, roles }: Examined): Promise<readonly ConfigProblem[]> {
  const { address, namespace } = config.temporal;
  // Missing credentials are reported with the other secrets; without them there is nothing to try.
  if (missingSecrets({ config, env, roles }).some(({ path }) => path.startsWith('temporal.tls.') || path === 'temporal.apiKey'))
    return [];
  const problem = await whyNot(async () => {
    const connection = await openConnection({ config, env });
    try {
      await connection.withDeadline(Date.now() + answerWithinMs, () =>
        connection.workflowService.describeNamespace({ namespace }),
      );
    } finally {
      await connection.close();
    }
  }, `Temporal at ${address} does not serve the namespace ${namespace}`);
  if (problem === undefined) return [];
  return [
    { path: 'temporal', problem, remedy: 'Start it, create the namespace, or correct temporal.address and temporal.namespace.' },
  ];
}

async function clusterProblems({ config, env, roles }: Examined): Promise<readonly ConfigProblem[]> {
  if (roles.every((role) => role === 'desk')) return [];
  const problem = await whyNot(async () => {
    const api = await openClusterApi({ config, env });
    try {
      // Anybody may request it, and it shows that the account is accepted: an invalid token is refused.
      await api.json({ method: 'GET', path: '/api', what: 'the API server' });
    } finally {
      api.close();
    }
  }, 'the API server does not answer');
  if (problem === undefined) return [];
  const path = config.kubernetes.kubeconfig === undefined ? 'kubernetes' : 'kubernetes.kubeconfig';
  return [{ path, problem, remedy: 'Correct the kubeconfig or its context; in the cluster itself leave it out.' }];
}

/** What is wrong, in words without secrets; undefined if nothing is. */
async function whyNot(attempt: () => Promise<unknown>, otherwise: string): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return reasonWhy(error, otherwise);
  }
}
