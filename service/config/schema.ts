import { z } from 'zod';
import { id, path } from './fields.ts';
import { actions } from './sections/actions-section.ts';
import { consoleSection } from './sections/console-section.ts';
import { evidence } from './sections/evidence-section.ts';
import { forensics } from './sections/forensics-section.ts';
import { guardrails } from './sections/guardrails-section.ts';
import { images } from './sections/images-section.ts';
import { intake } from './sections/intake-section.ts';
import { packs, releases } from './sections/packs-section.ts';
import { reports } from './sections/records/reports-section.ts';
import { streams } from './sections/records/streams-section.ts';
import { response } from './sections/response-section.ts';
import { roster } from './sections/roster-section.ts';
import { rotation } from './sections/rotation-section.ts';
import { sensors } from './sections/sensors-section.ts';
import { slack } from './sections/slack-section.ts';
import { stepUp } from './sections/step-up-section.ts';
import { telemetry } from './sections/telemetry-section.ts';
import { paging, tickets } from './sections/ticket-sections.ts';
import * as section from './sections.ts';

/** Schema of the configuration file. The reference page is generated from its descriptions. */
export const configSchema = z.strictObject({
  cluster: id.meta({ description: 'Name of the cluster; part of every incident’s id.', examples: ['prod-eu'] }),
  stateDir: path.exactOptional().meta({
    description:
      'Folder for spool, keys, evidence and database where they are not named. Default: `FIREBREAK_STATE_DIR` of the environment, else `firebreak-state` next to this file.',
  }),
  temporal: section.temporal.meta({ description: 'The durable engine.' }),
  kubernetes: section.kubernetes.meta({ description: 'How the cell reaches its cluster.' }),
  watch: section.watch.meta({ description: 'What the cell looks after.' }),
  response: response.meta({
    description: 'What is done about alerts without asking: see `firebreak docs response-modes`.',
    examples: [{ mode: 'observe', scopes: [{ namespaces: ['shop-*'], mode: 'contain' }] }],
  }),
  guardrails: guardrails.meta({ description: 'Rules above all playbooks.' }),
  actions: actions.meta({ description: 'Which actions are available besides those that are always on.' }),
  forensics: forensics.meta({ description: 'Work inside suspect containers.' }),
  rotation: rotation.meta({ description: 'Where the values of Secrets are valid, so that `rotateSecret` can end them there.' }),
  images: images.meta({
    description: 'Who may sign the images that run. Absent: signatures are not checked.',
    examples: [{ trust: [{ repositories: ['registry.example.com/shop/*'], keys: ['cosign.pub'] }] }],
  }),
  evidence: evidence.meta({ description: 'Where evidence is kept: a folder or an S3 bucket.' }),
  incidents: section.incidents.meta({ description: 'How incidents run.' }),
  intake: intake.meta({
    description: 'The HTTP server that takes alerts.',
    examples: [{ tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] }],
  }),
  sensors: sensors.meta({
    description:
      'How severe alerts are, in place of what the sensor says: sensor → `severities` → rule or policy, `*` for all others → severity. Example: `{ tetragon: { severities: { block-c2: critical, "*": info } } }`.',
  }),
  novelty: section.novelty.meta({ description: 'What has not been seen before of a workload: see `firebreak docs novelty`.' }),
  desk: section.desk.meta({ description: 'The HTTP server for Slack, and the keys of its votes.' }),
  roster: roster.meta({
    description: 'Who may decide.',
    examples: [{ people: [{ id: 'ada', name: 'Ada', slack: ['U0123456789'] }], groups: { oncall: ['ada'], leads: ['ada'] } }],
  }),
  stepUp: stepUp.exactOptional().meta({
    description: 'A sign-in at your identity provider besides the vote, for the widest steps. Absent: votes are enough.',
  }),
  console: consoleSection.exactOptional().meta({
    description: 'The web console, served by the desk. People sign in at the provider of `stepUp`. Absent: no console.',
  }),
  slack: slack.exactOptional().meta({ description: 'Cards and votes in Slack. Absent: no Slack.' }),
  tickets: tickets.meta({ description: 'Where tickets are filed: one system.' }),
  paging: paging.meta({ description: 'What wakes people. Absent: Slack only.' }),
  audit: section.audit.meta({ description: 'The records and their notary.' }),
  streams: streams.meta({
    description: 'Where else the records go: to a SIEM, or an event store. See `firebreak docs streams`.',
    examples: [[{ name: 'siem', to: { http: { url: 'https://siem.example.com/events', bearer: { env: 'SIEM_TOKEN' } } } }]],
  }),
  reports: reports.meta({
    description:
      'Which reports `firebreak report deliver` makes of each period, and where they go. See `firebreak docs compliance`.',
    examples: [[{ name: 'iso-quarterly', framework: 'iso-27001', to: { folder: '/srv/reports' } }]],
  }),
  backup: section.backup.meta({ description: 'Where backups go, besides folders.' }),
  status: section.status.exactOptional().meta({
    description:
      'An HTTP server of each process: `/healthz`, `/readyz`, which names the rights that are missing, and `/metrics`. Absent: none.',
    examples: [{ listen: { host: '0.0.0.0' } }],
  }),
  telemetry: telemetry.meta({ description: 'What is sent to OpenTelemetry: see `firebreak docs observability`.' }),
  log: section.log.meta({ description: 'The log on standard error.' }),
  packs: packs.meta({
    description: 'Playbooks of your own, besides those that are shipped: see `firebreak docs packs`.',
    examples: [[{ folder: 'our-playbooks', integrity: 'sha512-…' }]],
  }),
  releases: releases.meta({
    description: 'Where published versions of packs are kept, and whose are trusted.',
    examples: [{ folder: '/srv/releases', publishers: [{ name: 'platform-team', key: 'platform-team.pem.pub' }] }],
  }),
  playbooks: section.playbooks.meta({ description: 'Which playbooks run.' }),
  keys: section.keys.meta({ description: 'Keys of the cell and of the pools.' }),
  trust: section.trust.meta({
    description:
      'Whose signatures count besides the desk’s (`desk.votePublicKeys`): what comes over Temporal is trusted only with a signature by one of these. With all roles on one state directory, nothing has to be set.',
  }),
});

/** The file after validation: everything with a fixed default is present. */
export type FileConfig = z.output<typeof configSchema>;
