import { createHmac } from 'node:crypto';

/** One request, as the system sends it. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const hmac = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex');

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads: the fields that both events have, and some that must not confuse the reader. */
export function githubDelivery(sent: {
  readonly secret: string;
  readonly event: 'issues' | 'issue_comment' | 'ping';
  readonly action: string;
  readonly number: number;
  readonly login: string;
  readonly repository?: string;
  readonly comment?: string;
  readonly isPullRequest?: true;
}): Delivery {
  const { secret, event, action, number, login, repository = 'acme/incidents', comment, isPullRequest } = sent;
  const body = JSON.stringify({
    action,
    issue: {
      number,
      title: 'A shell in shop/cart-1',
      state: action === 'closed' ? 'closed' : 'open',
      updated_at: new Date().toISOString(),
      ...(isPullRequest && { pull_request: { url: 'https://api.github.com/repos/acme/incidents/pulls/7' } }),
    },
    ...(comment === undefined ? {} : { comment: { id: 1, body: comment, user: { login } } }),
    repository: { id: 1, full_name: repository, private: true },
    sender: { login, type: 'User' },
  });
  return {
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature-256': `sha256=${hmac(secret, body)}`,
    },
    body,
  };
}

/** https://developer.atlassian.com/cloud/jira/platform/webhooks/ */
export function jiraDelivery(sent: {
  readonly secret: string;
  readonly key: string;
  readonly by: string;
  readonly moved?: {
    readonly from: string;
    readonly to: string;
    readonly category: 'new' | 'indeterminate' | 'done';
    readonly resolutionWas?: string;
  };
  readonly comment?: string;
}): Delivery {
  const { secret, key, by, moved, comment } = sent;
  const person = { accountId: '5b10a2844c20165700ede21g', displayName: by, active: true };
  const body = JSON.stringify({
    timestamp: Date.now(),
    webhookEvent: comment === undefined ? 'jira:issue_updated' : 'comment_created',
    ...(comment === undefined ? { issue_event_type_name: 'issue_generic', user: person } : {}),
    issue: {
      id: '10002',
      key,
      fields: { summary: 'A shell', status: { name: moved?.to ?? 'To Do', statusCategory: { key: moved?.category ?? 'new' } } },
    },
    ...(moved && {
      changelog: {
        id: '10124',
        items: [
          {
            field: 'resolution',
            fieldtype: 'jira',
            fromString: moved.resolutionWas ?? null,
            toString: moved.category === 'done' ? 'Done' : null,
          },
          { field: 'status', fieldtype: 'jira', from: '1', fromString: moved.from, to: '2', toString: moved.to },
        ],
      },
    }),
    ...(comment === undefined ? {} : { comment: { id: '10041', author: person, body: comment } }),
  });
  return {
    headers: {
      'content-type': 'application/json',
      'x-atlassian-webhook-identifier': 'a1b2',
      'x-hub-signature': `sha256=${hmac(secret, body)}`,
    },
    body,
  };
}

/** https://developer.pagerduty.com/docs/webhooks-overview */
export function pagerDutyDelivery(sent: {
  readonly secrets: readonly string[];
  readonly type: string;
  readonly incidentKey: string;
  readonly agent: { readonly summary: string; readonly type: string } | null;
}): Delivery {
  const { secrets, type, incidentKey, agent } = sent;
  const body = JSON.stringify({
    event: {
      id: '01DEN1HNLBC1VITK192ETJ1MPJ',
      event_type: type,
      resource_type: 'incident',
      occurred_at: new Date().toISOString(),
      agent: agent && { id: 'PXPGF42', html_url: 'https://acme.pagerduty.com/users/PXPGF42', ...agent },
      client: null,
      data: { id: 'PGR0VU2', type: 'incident', number: 2, status: 'resolved', incident_key: incidentKey, title: 'A shell' },
    },
  });
  return {
    headers: {
      'content-type': 'application/json',
      'x-webhook-id': 'PX1',
      'x-pagerduty-signature': secrets.map((secret) => `v1=${hmac(secret, body)}`).join(','),
    },
    body,
  };
}

/** The business rule from docs/tickets.md. */
export function serviceNowDelivery(sent: {
  readonly token: string;
  readonly content: Readonly<Record<string, string>>;
}): Delivery {
  return {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${sent.token}` },
    body: JSON.stringify(sent.content),
  };
}

/** A user's own system, as docs/tickets.md requires. */
export function ownDelivery(sent: {
  readonly secret: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly at?: number;
}): Delivery {
  const body = JSON.stringify({ version: 1, ...sent.content });
  const timestamp = String(Math.floor((sent.at ?? Date.now()) / 1_000));
  return {
    headers: {
      'content-type': 'application/json',
      'x-firebreak-timestamp': timestamp,
      'x-firebreak-signature': `v1=${hmac(sent.secret, `${timestamp}.${body}`)}`,
    },
    body,
  };
}
