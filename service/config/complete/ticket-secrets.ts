import type { Config } from '../complete.ts';
import type { SecretRef } from '../fields.ts';

/** Secrets of the configured ticket system. Of the desk only. */
export interface TicketSecrets {
  readonly github?: { readonly token: string };
  readonly jira?: { readonly token: string };
  readonly servicenow?: { readonly password: string };
  readonly webhook?: { readonly secret: string };
  /** Of what the system sends to us. */
  readonly inbound?: readonly string[];
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

export function ticketSecrets({ github, jira, servicenow, webhook }: Config['tickets'], read: Read): TicketSecrets {
  return {
    ...(github && { github: { token: read('tickets.github.token', github.token) } }),
    ...(jira && { jira: { token: read('tickets.jira.token', jira.token) } }),
    ...(servicenow && { servicenow: { password: read('tickets.servicenow.password', servicenow.password) } }),
    ...(webhook && { webhook: { secret: read('tickets.webhook.secret', webhook.secret) } }),
    ...inboundSecrets('tickets.github', github, read),
    ...inboundSecrets('tickets.jira', jira, read),
    ...inboundSecrets('tickets.servicenow', servicenow, read),
    ...inboundSecrets('tickets.webhook', webhook, read),
  };
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
