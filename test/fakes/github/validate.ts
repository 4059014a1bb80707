import { type Fields, isFields } from '../rest/server.ts';

/** https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed: `custom` explains the fault in words. */
type Fault = {
  readonly resource: 'Issue' | 'IssueComment' | 'Label';
  readonly field: string;
  readonly code: 'missing_field' | 'invalid' | 'custom';
  readonly message?: string;
};

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly Fault[] };

interface NewIssue {
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
}

const lengthOf = (text: string): number => [...text].length;

function tooLong(resource: Fault['resource'], field: string, most: number): Fault {
  return { resource, field, code: 'custom', message: `${field} is too long (maximum is ${most} characters)` };
}

function labelsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const names = value.map((label: unknown) => (isFields(label) ? label.name : label));
  const valid = names.filter((name): name is string => typeof name === 'string' && name !== '' && lengthOf(name) <= 50);
  return valid.length === names.length ? valid : undefined;
}

/** https://docs.github.com/en/rest/issues/issues#create-an-issue, with the limits that GitHub enforces. */
export function checkNewIssue(fields: Fields): Checked<NewIssue> {
  const { title, body = '' } = fields;
  const errors: Fault[] = [];
  if (title === undefined || title === '') errors.push({ resource: 'Issue', field: 'title', code: 'missing_field' });
  else if (typeof title !== 'string') errors.push({ resource: 'Issue', field: 'title', code: 'invalid' });
  else if (lengthOf(title) > 256) errors.push(tooLong('Issue', 'title', 256));
  if (body !== null && typeof body !== 'string') errors.push({ resource: 'Issue', field: 'body', code: 'invalid' });
  else if (body !== null && lengthOf(body) > 65_536) errors.push(tooLong('Issue', 'body', 65_536));
  const labels = labelsOf(fields.labels);
  if (!labels) errors.push({ resource: 'Label', field: 'name', code: 'invalid' });
  if (errors.length > 0 || typeof title !== 'string' || !labels) return { ok: false, errors };
  return { ok: true, value: { title, body: typeof body === 'string' ? body : '', labels } };
}

export function checkComment(fields: Fields): Checked<string> {
  const { body } = fields;
  if (typeof body === 'string' && lengthOf(body) > 65_536)
    return { ok: false, errors: [tooLong('IssueComment', 'body', 65_536)] };
  if (typeof body === 'string' && body.trim() !== '') return { ok: true, value: body };
  return {
    ok: false,
    errors: [{ resource: 'IssueComment', field: 'body', code: body === undefined ? 'missing_field' : 'invalid' }],
  };
}

export function checkIssueChange(fields: Fields): Checked<{ readonly state?: 'open' | 'closed'; readonly stateReason?: string }> {
  const { state, state_reason: reason } = fields;
  if (state !== undefined && state !== 'open' && state !== 'closed')
    return { ok: false, errors: [{ resource: 'Issue', field: 'state', code: 'invalid' }] };
  if (
    reason !== undefined &&
    (typeof reason !== 'string' || !['completed', 'not_planned', 'duplicate', 'reopened'].includes(reason))
  )
    return { ok: false, errors: [{ resource: 'Issue', field: 'state_reason', code: 'invalid' }] };
  return {
    ok: true,
    value: { ...(state !== undefined && { state }), ...(typeof reason === 'string' && { stateReason: reason }) },
  };
}
