import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { pageKeyOf } from '../../../core/tickets/paging.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';
import { followUpOf } from '../../../service/config/sections/ticket-sections.ts';
import { createInboundPager, createPager, openTickets } from '../../../service/desk/follow-up.ts';
import { startJiraFake } from '../../fakes/jira/server.ts';
import { startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { request } from '../../integrations/tickets/systems.ts';

const signal = new AbortController().signal;
const codec = Buffer.alloc(32, 7).toString('base64');
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function desk(sections: string, env: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-desk-'));
  const path = join(folder, 'firebreak.yaml');
  writeFileSync(
    path,
    `cluster: lab
temporal: { codecKeys: [{ id: a, key: { env: CODEC } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
${sections}`,
  );
  const config = loadConfig({ path, env: {} });
  const secrets = resolveSecrets({ config, env: { CODEC: codec, ...env }, roles: ['desk'] });
  const database = await openDatabase({ url: `sqlite:${join(folder, 'desk.db')}` });
  stops.push(() => database.close());
  const { tickets, inbound } = await openTickets({ secrets, database });
  return {
    config,
    inbound: [inbound, createInboundPager(secrets)].flatMap((system) => system?.name ?? []),
    tickets,
    pager: createPager(secrets),
  };
}

test('from the file to the ticket and the page: redacted, by template, once', async () => {
  const jira = await startJiraFake({ project: 'SEC', email: 'a@acme.com', token: 'jira-token' });
  const pagerduty = await startPagerDutyFake({ routingKeys: ['a'.repeat(32), 'b'.repeat(32)] });
  stops.push(jira.stop, pagerduty.stop);
  const { config, tickets, pager } = await desk(
    `tickets: { jira: { url: '${jira.url}', email: a@acme.com, token: { env: JIRA }, project: SEC, fields: { summary: '{{cluster}}: {{title}}' } } }
paging: { pagerduty: { routingKey: { env: PD }, groups: { leads: { env: LEADS } }, apiUrl: '${pagerduty.url}' } }
`,
    { JIRA: 'jira-token', PD: 'a'.repeat(32), LEADS: 'b'.repeat(32) },
  );
  expect(followUpOf(config)).toEqual({ tickets: true, pages: true });
  const secret = 'mysql -psecretpass';
  const opened = await tickets?.open({ ...request, title: 'new binary', body: secret }, signal);
  expect(opened).toMatchObject({ state: 'created', id: 'SEC-1' });
  expect(jira.issues[0]?.fields.summary).toBe('lab: new binary');
  expect(JSON.stringify(jira.issues)).not.toContain('secretpass');
  const incident = { ...request.incident, title: 'deployment/shop/cart', severity: 'critical', cluster: 'lab' } as const;
  await pager?.page(
    { key: pageKeyOf(incident, { began: 0 }), nth: 0, group: 'leads', incident, summary: secret, details: {} },
    signal,
  );
  expect(pagerduty.alerts.map((alert) => alert.routingKey)).toEqual(['b'.repeat(32)]);
  expect(JSON.stringify(pagerduty.alerts)).not.toContain('secretpass');
});

test('only systems with configured secrets may report back', async () => {
  const jira = 'jira: { url: https://acme.atlassian.net, email: a@acme.com, token: { env: JIRA }, project: SEC';
  const pagerduty = 'pagerduty: { routingKey: { env: PD }';
  const env = { JIRA: 'jira-token', PD: 'a'.repeat(32), HOOK: 'hook-secret', OLD: 'old-secret' };
  const inbound = 'inbound: { secrets: [{ env: HOOK }, { env: OLD }] }';
  const none = await desk(`tickets: { ${jira} } }\npaging: { ${pagerduty} } }\n`, env);
  expect(none.inbound).toEqual([]);
  const both = await desk(`tickets: { ${jira}, ${inbound} } }\npaging: { ${pagerduty}, ${inbound} } }\n`, env);
  expect(both.inbound).toEqual(['jira', 'pagerduty']);
});

test('without configuration there is neither, and incidents are told so', async () => {
  const { config, tickets, pager } = await desk('', {});
  expect([tickets, pager, followUpOf(config)]).toEqual([undefined, undefined, { tickets: false, pages: false }]);
});
