import type { Config } from '../complete.ts';
import type { SecretRef } from '../fields.ts';
import type { OfEachSystem } from './complete-tickets.ts';

/** Secrets of the configured ticket system. Of the desk only. */
export interface TicketSecrets extends OfSystems {
  /** Of what the system sends to us. */
  readonly inbound?: readonly string[];
}

interface OfSystems extends Partial<OfEachSystem<object>> {
  readonly github?: { readonly token: string };
  readonly jira?: { readonly token: string };
  readonly servicenow?: { readonly password: string };
  readonly webhook?: { readonly secret: string };
}

/** Secrets of the configured pager. Of the desk only. */
export interface PagingSecrets {
  readonly pagerduty?: {
    readonly routingKey: string;
    readonly groupKeys: Readonly<Record<string, string>>;
    /** Of the REST API: who is on call. */
    readonly onCallToken?: string;
  };
  readonly webhook?: { readonly secret: string };
  readonly inbound?: readonly string[];
}

type Read = (path: string, ref: SecretRef) => string;

function inboundSecrets(
  path: string,
  section: { readonly inbound?: { readonly secrets: readonly SecretRef[] } } | undefined,
  read: Read,
): { readonly inbound?: readonly string[] } {
  if (!section?.inbound) return {};
  return { inbound: section.inbound.secrets.map((ref, index) => read(`${path}.inbound.secrets[${index}]`, ref)) };
}

export function ticketSecrets(tickets: Config['tickets'], read: Read): TicketSecrets {
  const { github, jira, servicenow, webhook } = tickets;
  const systems: OfEachSystem<OfSystems | undefined> = {
    github: github && { github: { token: read('tickets.github.token', github.token) } },
    jira: jira && { jira: { token: read('tickets.jira.token', jira.token) } },
    servicenow: servicenow && { servicenow: { password: read('tickets.servicenow.password', servicenow.password) } },
    webhook: webhook && { webhook: { secret: read('tickets.webhook.secret', webhook.secret) } },
  };
  const sections = Object.entries<Parameters<typeof inboundSecrets>[1]>(tickets);
  const inbound = sections.map(([system, section]) => inboundSecrets(`tickets.${system}`, section, read));
  return Object.assign({}, ...Object.values(systems), ...inbound);
}

export function pagingSecrets({ pagerduty, webhook }: Config['paging'], read: Read): PagingSecrets {
  const groups = Object.entries(pagerduty?.groups ?? {});
  return {
    ...(pagerduty && {
      pagerduty: {
        routingKey: read('paging.pagerduty.routingKey', pagerduty.routingKey),
        ...(pagerduty.onCall && { onCallToken: read('paging.pagerduty.onCall.token', pagerduty.onCall.token) }),
        groupKeys: Object.fromEntries(groups.map(([group, ref]) => [group, read(`paging.pagerduty.groups.${group}`, ref)])),
      },
    }),
    ...(webhook && { webhook: { secret: read('paging.webhook.secret', webhook.secret) } }),
    ...inboundSecrets('paging.pagerduty', pagerduty, read),
  };
}
