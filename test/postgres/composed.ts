/**
 * `node composed.ts FOLDER ALERT`: runs the services of docker-compose.yml that COMPOSE_PROFILES names as they are written there, with the programs of this
 * machine, in a network of its own in which their names resolve to 127.0.0.1 (compose.test.ts creates it). Volumes are folders of FOLDER; paths in containers
 * are replaced by them wherever they occur. Writes what Firebreak's doctor finds when all are healthy, and what became of an alert, to FOLDER/found.json.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import { findOnPath, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { startKubernetes } from '../../tools/platform/kubernetes/kubernetes-server.ts';
import { weedBinary } from '../../tools/platform/s3-server.ts';
import { ServerGroup } from '../../tools/platform/server-group.ts';
import { temporalBinary } from '../../tools/platform/temporal-binary.ts';
import { eventually } from '../eventually.ts';
import { serverOwner } from '../postgres-server.ts';
import { findPostgres } from '../suites.mjs';

interface Service {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required?: boolean }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const root = projectRoot();
const folder = process.argv[2] ?? '';
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const programs = join(folder, 'programs');
const group = new ServerGroup();

/** Collects programs under the names that they have in the images. */
async function gatherPrograms(): Promise<void> {
  mkdirSync(programs);
  symlinkSync(await weedBinary(say), join(programs, 'weed'));
  symlinkSync(await temporalBinary(say), join(programs, 'temporal'));
  symlinkSync(process.execPath, join(programs, 'node'));
}

const { services: all }: { readonly services: Readonly<Record<string, Service>> } = parse(
  readFileSync(join(root, 'docker-compose.yml'), 'utf8').replaceAll(
    /\$\{(\w+):-([^}]*)\}/g,
    (_, name: string, otherwise: string) => process.env[name] ?? otherwise,
  ),
);
const asked = (process.env.COMPOSE_PROFILES ?? '').split(',');
const services = Object.fromEntries(
  Object.entries(all).filter(([, { profiles }]) => profiles === undefined || profiles.some((profile) => asked.includes(profile))),
);

class Composed {
  readonly #name: string;
  readonly #service: Service;
  readonly #places: readonly (readonly [string, string])[];

  constructor(name: string, service: Service) {
    this.#name = name;
    this.#service = service;
    this.#places = (service.volumes ?? []).map((volume) => {
      const [from = '', to = ''] = volume.split(':');
      if (from === '.') return [to, root];
      if (from.startsWith('.')) return [to, this.#written(resolve(root, from), to)];
      if (from.startsWith('/')) return [to, from];
      mkdirSync(join(folder, 'volumes', from), { recursive: true });
      return [to, join(folder, 'volumes', from)];
    });
  }

  /** A file or folder of the tree may also name paths in containers: a copy gets ours. */
  #written(source: string, to: string): string {
    const copy = join(folder, `${this.#name}${to.replaceAll('/', '-')}`);
    cpSync(source, copy, { recursive: true });
    const files = statSync(copy).isDirectory() ? readdirSync(copy).map((name) => join(copy, name)) : [copy];
    for (const file of files) {
      let text = readFileSync(file, 'utf8');
      for (const [place, ours] of this.#namedPlaces()) text = text.replaceAll(place, ours);
      writeFileSync(file, text);
    }
    return copy;
  }

  /** Its own volumes, and the files of this machine that any service mounts. */
  #namedPlaces(): readonly (readonly [string, string])[] {
    const pairs = (service: Service) => (service.volumes ?? []).map((volume) => volume.split(':'));
    return [
      ...pairs(this.#service)
        .filter(([from = '']) => /^\w/.test(from))
        .map(([from = '', to = '']) => [to, join(folder, 'volumes', from)] as const),
      ...Object.values(services)
        .flatMap(pairs)
        .filter(([from = '']) => from.startsWith('/'))
        .map(([from = '', to = '']) => [to, from] as const),
    ];
  }

  here(text: string): string {
    return this.#places.reduce((now, [place, ours]) => now.replaceAll(place, ours), text);
  }

  env(): Record<string, string> {
    const { environment = {} } = this.#service;
    const own = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, this.here(value)]));
    // Location of the socket in the image, which its health check uses.
    const socket = this.#service.image?.startsWith('postgres:') && { PGHOST: this.here('/var/lib/postgresql/data') };
    return { ...process.env, ...own, ...socket, PATH: [programs, findPostgres(), process.env.PATH].join(delimiter) };
  }

  async run(): Promise<void> {
    const [program = '', ...args] = this.#words().map((word) => this.here(word));
    const ends = Object.values(services).some(
      ({ depends_on = {} }) => depends_on[this.#name]?.condition === 'service_completed_successfully',
    );
    if (ends) {
      await eventually(
        `the end of ${this.#name}`,
        async () => (await runCommand({ command: program, args, env: this.env() })).code === 0,
      );
      return;
    }
    const owner = this.#service.image?.startsWith('postgres:') ? serverOwner() : undefined;
    const command =
      this.env()
        .PATH?.split(delimiter)
        .map((place) => join(place, program))
        .find((path) => findOnPath(path)) ?? program;
    group.start({
      ...{ name: this.#name, command, args, env: this.env(), logFile: join(folder, `${this.#name}.log`) },
      ...(owner && { owner }),
    });
    const [kind, check = '', ...words] = this.#service.healthcheck?.test ?? [];
    if (kind !== 'CMD') throw new Error(`${this.#name} has no health check that is a command`);
    await eventually(`${this.#name} healthy`, async () => {
      const { code } = await runCommand({ command: check, args: words, env: this.env() });
      return code === 0;
    });
    say(`${this.#name} is healthy`);
  }

  /** The command line that its image starts. */
  #words(): readonly string[] {
    const { image, command = [], entrypoint } = this.#service;
    const [name = ''] = image?.split(':') ?? [];
    if (entrypoint) return [...entrypoint, ...command];
    if (image === undefined) return ['node', ...serviceNodeFlags, join(root, 'dist/service/cli.js'), 'run'];
    if (name === 'node') return command;
    if (name === 'temporalio/temporal') return ['temporal', ...command];
    if (name === 'chrislusf/seaweedfs') return ['weed', ...command];
    if (name === 'postgres') return this.#postgres();
    throw new Error(`nobody here knows what the image ${image} starts`);
  }

  /** Does what the image's entry point does: creates a database cluster with this user, password and database. */
  #postgres(): readonly string[] {
    const { POSTGRES_USER: user = '', POSTGRES_PASSWORD: password = '', POSTGRES_DB: database = '' } = this.env();
    const data = this.here('/var/lib/postgresql/data');
    const owner = serverOwner();
    const secret = join(data, '..', 'postgres-password');
    writeFileSync(secret, password);
    if (owner) for (const path of [data, secret]) chownSync(path, owner.uid, owner.gid);
    const initdb = join(findPostgres() ?? '', 'initdb');
    execFileSync(initdb, ['-D', data, '-U', user, '--auth=scram-sha-256', '--pwfile', secret, '--locale=C', '--encoding=UTF8'], {
      ...owner,
      cwd: data,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    // In the image a temporary server creates the database beforehand.
    execFileSync(join(findPostgres() ?? '', 'postgres'), ['--single', '-D', data, 'postgres'], {
      ...owner,
      input: `CREATE DATABASE ${database};\n`,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    return ['postgres', '-D', data, '-c', `unix_socket_directories=${data}`];
  }
}

writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost ${Object.keys(services).join(' ')}\n`);
await gatherPrograms();
const kubernetes = await startKubernetes({ stateDir: folder, kubernetes: { nodes: [] }, onProgress: say });
writeFileSync(process.env.FIREBREAK_KUBECONFIG ?? '', readFileSync(kubernetes.kubeconfig));
const waiting = new Map(Object.entries(services));
const done = new Set<string>();
while (waiting.size > 0) {
  const next = [...waiting].filter(([, { depends_on = {} }]) =>
    Object.entries(depends_on).every(
      ([name, { required = true }]) => done.has(name) || (!required && services[name] === undefined),
    ),
  );
  if (next.length === 0) throw new Error('the services wait for each other');
  await Promise.all(next.map(([name, service]) => new Composed(name, service).run()));
  for (const [name] of next) {
    waiting.delete(name);
    done.add(name);
  }
}
const firebreak = new Composed('firebreak', services.firebreak ?? {});
const cli = [join(root, 'dist/service/cli.js'), 'doctor', '--json', '--config', firebreak.env().FIREBREAK_CONFIG ?? ''];
const { stdout } = await runCommand({ command: process.execPath, args: cli, env: { ...firebreak.env(), ...serviceEnvironment } });
const alert = await fetch('http://127.0.0.1:8765/v1/alerts/falco', {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${firebreak.env().FALCO_TOKEN}` },
  body: readFileSync(process.argv[3] ?? '', 'utf8'),
});
writeFileSync(join(folder, 'found.json'), JSON.stringify({ alert: alert.status, ...JSON.parse(stdout) }));
await group.stop();
await kubernetes.stop();
process.exit();
