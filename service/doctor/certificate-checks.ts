import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import type { SecretRef } from '../config/load.ts';
import { type Role, resolveAuditUrl, resolveTemporalAccess } from '../config/secrets.ts';
import { clusterAccess } from '../process/cluster-api.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, notTried, ok, warning } from './diagnosis.ts';
import { servedChain, type TlsServer } from './served-certificates.ts';

const dayMs = 86_400_000;
const soonDays = 21;

export const certificateChecks: readonly DoctorCheck[] = [
  { name: 'certificates', run: certificates },
  { name: 'served certificates', run: servedCertificates },
];

interface Ending {
  readonly certificates: readonly X509Certificate[];
  /** For a bundle of authorities one valid certificate is enough; a chain is only as good as the one that expires first. */
  readonly isBundle?: boolean;
}

/** State of a chain or a bundle: `in order` with the number of days left. */
type Standing =
  | { readonly kind: 'in order' | 'soon'; readonly days: number }
  | { readonly kind: 'ended'; readonly days: number }
  | { readonly kind: 'not yet'; readonly days: number };

/**
 * "Soon" means three weeks or, for certificates that are renewed more often, the last quarter of their lifetime: they are renewed at two thirds
 * (https://cert-manager.io/docs/usage/certificate/#renewal), so one that gets older has been forgotten.
 */
function standingOf({ certificates, isBundle = false }: Ending, now = Date.now()): Standing {
  const sorted = certificates.toSorted((a, b) => a.validToDate.getTime() - b.validToDate.getTime());
  const decisive = isBundle ? sorted.at(-1) : sorted[0];
  if (!decisive) throw new TypeError('there is no certificate to check');
  const [from, until] = [decisive.validFromDate.getTime(), decisive.validToDate.getTime()];
  const days = Math.floor((until - now) / dayMs);
  if (until < now) return { kind: 'ended', days: Math.floor((now - until) / dayMs) };
  if (from > now) return { kind: 'not yet', days: Math.ceil((from - now) / dayMs) };
  return { kind: until - now < Math.min(soonDays * dayMs, (until - from) / 4) ? 'soon' : 'in order', days };
}

function told(what: string, ending: Ending, remedy: string): LookResult {
  const { kind, days } = standingOf(ending);
  switch (kind) {
    case 'ended':
      return failure(`${what} expired ${days} days ago`, remedy);
    case 'not yet':
      return failure(`${what} is not valid for another ${days} days`, 'Correct the clock of its issuer, or ours.');
    case 'soon':
      return warning(`${what} expires in ${days} days`, remedy);
    case 'in order':
      return ok(`${what} expires in ${days} days`);
  }
}

function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

interface CertificateFile {
  readonly path: string;
  readonly file: string;
  readonly isBundle: boolean;
}

/** Checks each certificate file that the configuration names, and our own certificate in the kubeconfig. */
async function certificates(examined: Examined): Promise<readonly LookResult[]> {
  const found = await Promise.all([...certificateFiles(examined).map(ofFile), ofKubeconfig(examined)]);
  const outcomes = found.flat();
  return outcomes.length > 0 ? outcomes : [ok('the configuration names none')];
}

function certificateFiles({ config, roles }: Examined): readonly CertificateFile[] {
  const has = (...some: readonly Role[]): boolean => some.some((role) => roles.includes(role));
  const one = (path: string, file: string | undefined, isBundle = false): readonly CertificateFile[] =>
    file === undefined ? [] : [{ path, file, isBundle }];
  const { tls } = config.temporal;
  return [
    ...one('temporal.tls.caFile', fileOf(tls?.ca), true),
    ...one('temporal.tls.certFile', fileOf(tls?.cert)),
    ...(has('cell')
      ? [
          ...one('intake.tls.certFile', config.intake.tls?.certFile),
          ...one('intake.tls.clientCaFile', config.intake.tls?.clientCaFile, true),
        ]
      : []),
    ...(has('secrets')
      ? config.images.registries.flatMap(({ caFile }, index) => one(`images.registries[${index}].caFile`, caFile, true))
      : []),
    ...(has('desk')
      ? config.streams.flatMap(({ name, to: { kind }, access }) => [
          ...one(`streams.${name}.to.${kind}.tls.caFile`, fileOf(access.ca), true),
          ...one(`streams.${name}.to.${kind}.tls.certFile`, fileOf(access.cert)),
        ])
      : []),
    ...Object.entries(config.telemetry.otlp?.signals ?? {}).flatMap(([signal, to]) => [
      ...one(`telemetry.otlp.tls.caFile of ${signal}`, fileOf(to?.ca), true),
      ...one(`telemetry.otlp.tls.certFile of ${signal}`, fileOf(to?.cert)),
    ]),
  ];
}

function fileOf(ref: SecretRef | undefined): string | undefined {
  return ref && 'file' in ref ? ref.file : undefined;
}

async function ofFile({ path, file, isBundle }: CertificateFile): Promise<readonly LookResult[]> {
  const read = certificatesIn(await readFile(file, 'utf8').catch(() => ''));
  if (read.length === 0) return [failure(`${path}: ${file} holds no readable certificate`, 'Put one there, as PEM.')];
  return [told(path, { certificates: read, isBundle }, 'Renew it; a file that changes is read again without a restart.')];
}

/** If it has expired, the API server refuses us without saying why. */
async function ofKubeconfig(examined: Examined): Promise<readonly LookResult[]> {
  const { cert } = (await accessOf(examined))?.tls ?? {};
  const own = certificatesIn(cert ?? '').slice(0, 1);
  if (own.length === 0) return [];
  const remedy = 'Create a new one the way the cluster does: kubeadm certs renew, or fetch the kubeconfig again.';
  return [told('our certificate in kubernetes.kubeconfig', { certificates: own }, remedy)];
}

/** Undefined if it cannot be read: the check of the API server reports that. */
async function accessOf(examined: Examined) {
  if (examined.roles.every((role) => role === 'desk')) return undefined;
  return await clusterAccess(examined).catch(() => undefined);
}

interface NamedServer extends TlsServer {
  /** Its path in the configuration. */
  readonly path: string;
  readonly remedy: string;
}

const lookWithinMs = 8_000;

/** Certificates that servers present, whoever renews them: renewal on disk does not help if a server still presents the old certificate. */
async function servedCertificates(examined: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const servers = await tlsServers(examined);
  if (servers.length === 0) return [ok('the configuration names no server with TLS')];
  const within = AbortSignal.any([signal, AbortSignal.timeout(lookWithinMs)]);
  const looked = await Promise.all(servers.map(async (server) => ({ server, chain: await servedChain(server, within) })));
  const seen = looked.flatMap(({ server, chain }) => (chain ? [{ server, chain }] : []));
  const results = seen.map(({ server: { path, host, port, remedy }, chain }) =>
    told(`${path}: the certificate that ${host}:${port} presents`, { certificates: chain }, remedy),
  );
  const inOrder = results.filter(({ state }) => state === 'ok');
  const unseen = looked.flatMap(({ server, chain }) => (chain ? [] : [server.path]));
  return [
    ...results.filter(({ state }) => state !== 'ok'),
    ...(inOrder.length > 0 ? [ok(firstToEnd(seen))] : []),
    ...(unseen.length > 0 ? [notTried(`no certificate was presented by ${unseen.join(', ')}`)] : []),
  ];
}

/** One line for all that are in order, as there are many. */
function firstToEnd(seen: readonly { readonly server: NamedServer; readonly chain: readonly X509Certificate[] }[]): string {
  const inOrder = seen
    .map(({ server: { path }, chain }) => ({ path, ...standingOf({ certificates: chain }) }))
    .filter(({ kind }) => kind === 'in order')
    .toSorted((a, b) => a.days - b.days);
  const all = inOrder.map(({ path, days }) => `${path} (${days} days)`);
  return `in order: ${all.join(', ')}`;
}

async function tlsServers(examined: Examined): Promise<readonly NamedServer[]> {
  const { config, roles } = examined;
  const has = (...some: readonly Role[]): boolean => some.some((role) => roles.includes(role));
  const { listen, tls } = config.intake;
  const { store, vault } = config.evidence;
  const theirs = 'Have its operator renew it, and check that the server presents the new one.';
  const at = (path: string, url: string | undefined, more: Partial<TlsServer> = {}, remedy = theirs): readonly NamedServer[] => {
    const parsed = url === undefined ? undefined : URL.parse(url);
    if (parsed?.protocol !== 'https:') return [];
    return [{ path, remedy, host: plainHost(parsed), port: Number(parsed.port || 443), ...more }];
  };
  const access = await accessOf(examined);
  return [
    ...temporalServer(examined, theirs),
    ...Object.entries(config.telemetry.otlp?.signals ?? {}).flatMap(([signal, to]) => at(`telemetry.otlp of ${signal}`, to?.url)),
    ...at(
      'kubernetes',
      access?.server,
      { serverName: access?.tls.servername, ca: access?.tls.ca, cert: access?.tls.cert, key: access?.tls.key },
      'Renew the API server’s certificate (kubeadm certs renew apiserver), and restart it.',
    ),
    ...(has('cell')
      ? [
          ...(tls
            ? [
                {
                  path: 'intake.listen',
                  // If it listens on all addresses, that includes this machine's own.
                  host: ['0.0.0.0', '::'].includes(listen.host) ? '127.0.0.1' : listen.host,
                  port: listen.port,
                  remedy: 'Renew intake.tls.certFile: the intake reads it again automatically.',
                },
              ]
            : []),
          ...at('actions.nodeIsolation.webhook.url', config.actions.nodeIsolation?.webhook.url),
        ]
      : []),
    ...(has('cell', 'forensics')
      ? [
          ...at('evidence.s3.endpoint', store.kind === 's3' ? store.endpoint : undefined),
          ...at('evidence.vault.address', vault?.address),
        ]
      : []),
    ...(has('secrets') ? at('rotation.vault.address', config.rotation.vault?.address) : []),
    ...(has('desk')
      ? [
          ...postgresServer(examined, theirs),
          ...at('backup.s3.endpoint', config.backup.s3?.endpoint),
          ...at('stepUp.issuer', config.stepUp?.issuer),
          ...at(
            'stepUp.publicUrl',
            config.stepUp?.publicUrl,
            {},
            'Renew it where the desk’s pages are served: its Ingress or proxy.',
          ),
          ...config.streams.flatMap(({ name, to }): readonly NamedServer[] => {
            const path = `streams.${name}`;
            if (to.kind === 'http') return at(path, to.url);
            if (to.kind === 'syslog') return [{ path, remedy: theirs, host: to.host, port: to.port, serverName: to.serverName }];
            if (to.kind === 's3') return at(path, to.endpoint);
            return to.isPlaintext ? [] : to.brokers.map(({ host, port }) => ({ path, remedy: theirs, host, port }));
          }),
        ]
      : []),
  ];
}

/** `[::1]` in a URL is `::1` when connecting. */
function plainHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.+)\]$/, '$1');
}

function temporalServer(examined: Examined, remedy: string): readonly NamedServer[] {
  const { address, tls: wanted } = examined.config.temporal;
  const place = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address);
  if (!wanted || !place) return [];
  try {
    const { tls } = resolveTemporalAccess(examined)();
    return [{ path: 'temporal.address', remedy, host: place[1] ?? '', port: Number(place[2]), ...tls }];
  } catch {
    // The check of the secrets reports what is missing.
    return [];
  }
}

/** If the driver is configured for TLS: https://node-postgres.com/features/ssl */
function postgresServer({ config, env }: Examined, remedy: string): readonly NamedServer[] {
  let url: URL | null;
  try {
    url = URL.parse(resolveAuditUrl({ config, env }));
  } catch {
    return [];
  }
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) return [];
  const mode = url.searchParams.get('sslmode') ?? url.searchParams.get('ssl') ?? env.PGSSLMODE ?? 'disable';
  if (['disable', 'false', '0', ''].includes(mode)) return [];
  return [{ path: 'audit.url', remedy, host: plainHost(url), port: Number(url.port || 5432), isPostgres: true }];
}

interface Webhooks {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly webhooks?: readonly {
      readonly name: string;
      readonly failurePolicy?: string;
      readonly clientConfig: { readonly caBundle?: string };
    }[];
  }[];
}

/**
 * The API server trusts a webhook by this bundle: once every certificate in it has expired, it rejects all requests that the webhook would review, including a
 * quarantine.
 */
export async function webhookBundles(api: KubernetesApi, signal: AbortSignal): Promise<readonly LookResult[]> {
  const results: LookResult[] = [];
  let bundles = 0;
  for (const resource of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    const found = await webhooksOf(api, resource, signal);
    if (found === 'forbidden')
      return [notTried('this account may not list admission webhooks: run this with an administrator’s kubeconfig')];
    for (const { metadata, webhooks = [] } of found.items)
      for (const { name, failurePolicy = 'Fail', clientConfig } of webhooks) {
        const pem = Buffer.from(clientConfig.caBundle ?? '', 'base64').toString('utf8');
        const certificates = certificatesIn(pem);
        // Without a bundle the API server uses its own authorities.
        if (certificates.length === 0) continue;
        bundles += 1;
        const refuses = failurePolicy === 'Fail';
        const what = `the CA bundle of the webhook ${name} (${resource.replace(/s$/, '')} ${metadata.name})`;
        const consequence = refuses ? 'the API server refuses what it would be asked about' : 'it is skipped';
        const result = told(
          what,
          { certificates, isBundle: true },
          'Renew it where the webhook comes from; cert-manager’s CA injector does so automatically.',
        );
        if (result.state === 'ok') continue;
        results.push({
          ...result,
          text: `${result.text}; without a valid one ${consequence}`,
          ...(!refuses && { state: 'warning' }),
        });
      }
  }
  if (results.length > 0) return results;
  return [ok(bundles === 0 ? 'no webhook has a CA bundle of its own' : `the CA bundles of ${bundles} webhooks are in order`)];
}

async function webhooksOf(api: KubernetesApi, resource: string, signal: AbortSignal): Promise<Webhooks | 'forbidden'> {
  try {
    const path = pathOf({ group: 'admissionregistration.k8s.io', resource });
    return await api.json<Webhooks>({ method: 'GET', path, what: `list ${resource}`, signal });
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 403) return 'forbidden';
    throw error;
  }
}
