/** Enforces the borders between the rooms: reads every import of the production code and reports those that are not allowed. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { readTree } from './imports.mjs';

/**
 * What each room may import besides itself: other rooms, and packages by name (`node:` stands for all of Node's own). `schemaPackages` are allowed only in
 * `*.schema.ts` and `*.params.ts`, of which only types reach the workflow sandbox; of `typePackages` only types may be imported.
 */
const rooms = {
  authoring: { rooms: ['core', 'integrations', 'service', 'testing'], packages: ['node:'] },
  core: { rooms: [], packages: ['@noble/hashes', 'ipaddr.js'], schemaPackages: ['zod'] },
  playbooks: { rooms: ['core'], packages: [], schemaPackages: ['zod'] },
  workflows: { rooms: ['core', 'playbooks'], packages: ['@temporalio/workflow', '@temporalio/common'] },
  activities: {
    rooms: ['core', 'integrations'],
    packages: ['@temporalio/activity', '@temporalio/common', 'lru-cache', 'zod', 'node:'],
    typePackages: ['@kubernetes/client-node'],
  },
  integrations: { rooms: ['core'], forbidden: ['@temporalio'], eachFolderAlone: true },
  testing: { rooms: ['core', 'workflows', 'activities'], packages: ['zod', 'node:'] },
  console: { rooms: ['core'], packages: ['preact'] },
  service: { rooms: ['core', 'playbooks', 'workflows', 'activities', 'integrations', 'testing'] },
  tools: { rooms: ['core', 'playbooks', 'activities', 'integrations', 'testing', 'service'] },
};

/**
 * The only files of the workflows that may import Temporal's package: the code that wraps it as a world. The workflows use `world.ts`, and so also run in memory.
 */
const knowsTemporal = /^workflows\/(index\.ts|messages\.ts|temporal-(world|promises)\.ts)$/;

/** Browser code shares with the server only the protocol between them and how names are read: nothing else is meant to be downloaded. */
const sharedWithBrowser = /^core\/(console\/|alert\/severity\.ts$|text\/(object-name|plain-text|visible-text)\.ts$)/;

/** The checks themselves. */
const checks = /^tools\/check\//;

/** The demo starts the stand-ins as a process of its own; nothing else knows where they are. */
const knowsStandIns = 'tools/demo/processes.ts';

/**
 * Within `service`: the sub-rooms that each may import besides itself. `*`: all. The files that start a process (`service/run.ts`, `service/cli.*`) belong to
 * none. The desk, the cell and the intake may be separate processes; the command line reaches Temporal only through `incidents`.
 */
const serviceRooms = {
  packs: ['launcher'],
  config: ['packs'],
  process: ['config', 'packs', 'rbac', 'temporal'],
  temporal: ['config', 'launcher', 'packs', 'process'],
  rbac: ['config', 'process'],
  records: ['config', 'process'],
  launcher: [],
  witness: [],
  backup: ['config', 'process'],
  streams: ['config', 'process'],
  skew: ['config', 'temporal'],
  offline: [],
  parts: ['process'],
  trial: ['packs', 'parts', 'process', 'simulation', 'temporal'],
  incidents: ['config', 'temporal'],
  simulation: ['cell', 'config', 'intake', 'packs', 'process', 'records'],
  intake: ['config', 'process', 'rbac', 'temporal'],
  coverage: ['config', 'intake'],
  check: ['config', 'packs', 'process', 'temporal', 'rbac', 'coverage', 'simulation', 'trial'],
  setup: ['config'],
  doctor: ['config', 'process', 'temporal', 'rbac', 'intake', 'desk', 'records', 'setup', 'streams'],
  cell: ['config', 'packs', 'process', 'temporal', 'intake', 'rbac'],
  desk: ['config', 'packs', 'process', 'temporal', 'incidents', 'records', 'streams', 'coverage'],
  commands: [
    'config',
    'packs',
    'process',
    'temporal',
    'incidents',
    'records',
    'witness',
    'backup',
    'streams',
    'skew',
    'rbac',
    'offline',
    'intake',
    'coverage',
    'simulation',
    'check',
    'doctor',
    'setup',
    'trial',
  ],
};

/** All imports that cross a border, as `{ file, specifier, reason }`, with files relative to `folder`. */
export function borderFaults(folder, tree = readTree(folder)) {
  return [...tree].flatMap(([file, { imports }]) => {
    const [room] = file.split('/');
    const crossing = imports.flatMap(({ specifier, typeOnly }) => {
      const reason = specifier.startsWith('.')
        ? (relativeFault(room, file, specifier) ?? browserFault({ room, file, specifier, typeOnly }))
        : packageFault({ room, file, specifier, typeOnly });
      return reason ? [{ file, specifier, reason }] : [];
    });
    // Plain JavaScript starts programs by path, and may import anything.
    return [...standInFault(folder, room, file), ...(/\.[mc]?tsx?$/.test(file) ? crossing : [])];
  });
}

/** Also detects a path built at run time: a quoted word of its own, or a part of a path. */
function standInFault(folder, room, file) {
  if (file === knowsStandIns || checks.test(file) || !/(['"`/\\])fakes(['"`/\\])/.test(readFileSync(join(folder, file), 'utf8')))
    return [];
  return [{ file, specifier: 'fakes', reason: `${room} may not name the stand-ins’ folder` }];
}

function relativeFault(room, file, specifier) {
  const target = posix.join(dirname(file), specifier);
  const [targetRoom, ...rest] = target.split('/');
  const rule = rooms[room];
  if (room === 'service' && targetRoom === 'service') return serviceFault(file, rest);
  if (targetRoom !== room) return rule.rooms.includes(targetRoom) ? undefined : `${room} may not import ${targetRoom}`;
  if (!rule.eachFolderAlone || rest.length < 2) return undefined;
  const own = file.split('/')[1];
  return rest[0] === own ? undefined : `${room}/${own} may not import another integration, ${rest[0]}`;
}

function browserFault({ room, file, specifier, typeOnly }) {
  const target = posix.join(dirname(file), specifier);
  if (room !== 'console' || target.startsWith('console/')) return undefined;
  if (!sharedWithBrowser.test(target)) return `the browser may not import ${target}, only core/console`;
  return target.endsWith('.schema.ts') && !typeOnly ? 'browser code may import only types from schemas' : undefined;
}

function serviceFault(file, [subRoom]) {
  const own = file.split('/')[1];
  if (!(own in serviceRooms) || own === subRoom || file === 'service/commands/run.ts') return undefined;
  return serviceRooms[own].includes(subRoom) ? undefined : `service/${own} may not import service/${subRoom}`;
}

function packageFault({ room, file, specifier, typeOnly }) {
  const { packages, forbidden = [], schemaPackages = [], typePackages = [] } = rooms[room];
  const isIn = (list) => list.some((name) => specifier === name || specifier.startsWith(name.endsWith(':') ? name : `${name}/`));
  if (isIn(forbidden)) return `${room} may not import ${specifier}`;
  if (room === 'workflows' && specifier.startsWith('@temporalio/') && !typeOnly && !knowsTemporal.test(file))
    return `the engine must also run without Temporal: use workflows/world.ts, not ${specifier}`;
  if (packages === undefined || isIn(packages) || (typeOnly && isIn(typePackages))) return undefined;
  if (isIn(schemaPackages)) {
    return /\.(schema|params)\.ts$/.test(basename(file)) ? undefined : `only *.schema.ts and *.params.ts may import ${specifier}`;
  }
  return `${room} may not import ${specifier}`;
}
