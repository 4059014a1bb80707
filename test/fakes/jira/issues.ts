import { type Fields, isFields } from '../rest/server.ts';
import { adfText, isAdf } from './adf-check.ts';

export interface FakeJiraIssue {
  readonly id: string;
  readonly key: string;
  readonly number: number;
  readonly fields: Fields;
  readonly labels: readonly string[];
  status: 'To Do' | 'In Progress' | 'Done';
  resolution: string | null;
  readonly createdAt: number;
  readonly comments: { readonly id: string; readonly body: unknown; readonly at: number }[];
}

export interface JiraProject {
  readonly project: string;
  readonly issueTypes: readonly string[];
  /** Fields on the create screen in addition to those that every issue has. */
  readonly customFields: readonly string[];
  /** False: the create screen has no labels. */
  readonly labelsOnScreen: boolean;
}

const textLimit = 32_767;

/** Applies to descriptions and comments alike. */
export function isTooLong(document: unknown): boolean {
  return adfText(document).length > textLimit;
}

export const tooLong = 'The entered text is too long. It exceeds the allowed limit of 32,767 characters.';

/** The errors by field, as `POST /rest/api/3/issue` returns them with 400; empty if it is accepted. */
export function issueErrors(fields: Fields, project: JiraProject): Readonly<Record<string, string>> {
  const errors: Record<string, string> = {};
  const known = ['project', 'issuetype', 'summary', 'description', 'labels', 'priority', ...project.customFields];
  for (const name of Object.keys(fields))
    if (!known.includes(name) || (name === 'labels' && !project.labelsOnScreen))
      errors[name] = `Field '${name}' cannot be set. It is not on the appropriate screen, or unknown.`;
  if (!isFields(fields.project) || fields.project.key !== project.project) errors.project = 'valid project is required';
  if (!isFields(fields.issuetype) || !project.issueTypes.includes(String(fields.issuetype.name)))
    errors.issuetype = 'Specify a valid issue type';
  const { summary, description, labels, priority } = fields;
  if (typeof summary !== 'string' || summary.trim() === '') errors.summary = 'You must specify a summary of the issue.';
  else if (summary.length > 255) errors.summary = "Summary can't exceed 255 characters.";
  else if (/[\r\n]/.test(summary)) errors.summary = 'The summary is invalid because it contains newline characters.';
  if (description !== undefined && !isAdf(description))
    errors.description = 'Operation value must be an Atlassian Document (see the Atlassian Document Format)';
  else if (isTooLong(description)) errors.description = tooLong;
  if (priority !== undefined && (!isFields(priority) || !(priority.name ?? priority.id)))
    errors.priority = 'Specify the Priority (name) in the string format';
  Object.assign(errors, labelErrors(labels));
  return errors;
}

function labelErrors(labels: unknown): Readonly<Record<string, string>> {
  if (labels === undefined) return {};
  if (!Array.isArray(labels) || labels.some((label) => typeof label !== 'string')) return { labels: 'data was not an array' };
  const blank = labels.find((label) => /\s/.test(label));
  if (blank !== undefined) return { labels: `The label '${blank}' contains spaces which is invalid.` };
  const long = labels.find((label) => label.length > 255);
  return long === undefined
    ? {}
    : { labels: `The label '${long}' exceeds the maximum length for a single label of 255 characters.` };
}
