import type { SecretRef } from '../fields.ts';
import type { FileConfig } from '../schema.ts';

type Absolute = (ref: SecretRef) => SecretRef;
type Inbound = { readonly inbound?: { readonly secrets: readonly SecretRef[] } };

function inboundOf({ inbound }: Inbound, at: Absolute): { readonly inbound?: { readonly secrets: SecretRef[] } } {
  return inbound ? { inbound: { secrets: inbound.secrets.map(at) } } : {};
}

/** A value for each system that the section knows: the compiler names the one that was forgotten. */
export type OfEachSystem<Value> = { readonly [System in keyof Required<FileConfig['tickets']>]: Value };
type Sections = { readonly [System in keyof FileConfig['tickets']]-?: FileConfig['tickets'][System] | undefined };

/** The same section with the places of its secrets made absolute. */
export function completeTickets(
  { github, jira, servicenow, webhook }: FileConfig['tickets'],
  at: Absolute,
): FileConfig['tickets'] {
  const sections: Sections = {
    github: github && { ...github, token: at(github.token), ...inboundOf(github, at) },
    jira: jira && { ...jira, token: at(jira.token), ...inboundOf(jira, at) },
    servicenow: servicenow && { ...servicenow, password: at(servicenow.password), ...inboundOf(servicenow, at) },
    webhook: webhook && { ...webhook, secret: at(webhook.secret), ...inboundOf(webhook, at) },
  };
  return Object.fromEntries(Object.entries(sections).filter(([, section]) => section !== undefined));
}

/** The same section with the places of its secrets made absolute. */
export function completePaging({ pagerduty, webhook }: FileConfig['paging'], at: Absolute): FileConfig['paging'] {
  return {
    ...(pagerduty && {
      pagerduty: {
        ...pagerduty,
        routingKey: at(pagerduty.routingKey),
        ...inboundOf(pagerduty, at),
        ...(pagerduty.onCall && { onCall: { ...pagerduty.onCall, token: at(pagerduty.onCall.token) } }),
        ...(pagerduty.groups && {
          groups: Object.fromEntries(Object.entries(pagerduty.groups).map(([group, ref]) => [group, at(ref)])),
        }),
      },
    }),
    ...(webhook && { webhook: { ...webhook, secret: at(webhook.secret) } }),
  };
}

/** What incidents may count on at the desk: they are started with it. */
export function followUpOf({ tickets, paging }: Pick<FileConfig, 'tickets' | 'paging'>): {
  readonly tickets: boolean;
  readonly pages: boolean;
} {
  const any = (section: object) => Object.values(section).some((value) => value !== undefined);
  return { tickets: any(tickets), pages: any(paging) };
}
