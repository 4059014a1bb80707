import { openTicket } from '../../core/actions/index.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { askIfKnown, urgent } from '../fragments/asked.ts';
import { addressesIn, fileTicket } from '../fragments/words.ts';

/** Sources of Falco's plugins, as their alerts name them, with what to do first, which no step here can do. */
const sources: Readonly<Record<string, string>> = {
  'source:aws_cloudtrail':
    'In AWS: deny the principal everything with an inline policy, deactivate its access keys and revoke the sessions of its role. Then check CloudTrail for everything it did, in every region.',
  'source:gcp_auditlog':
    'In Google Cloud: remove the principal’s roles and disable its keys. Then check the audit log for everything it did, in every project.',
  'source:okta':
    'In Okta: suspend the user, revoke all sessions and API tokens, and reset the factors over a channel other than this account’s mail. Then check the system log for what it signed in to.',
  'source:github':
    'In GitHub: revoke the sessions, tokens and keys of the account, and revert the change. Then check the audit log of the organisation, and rotate what a workflow or a public repository could have exposed.',
};

/** Outside the cluster, where none of our steps can act: serious changes are asked about, moderate ones are filed as tickets. */
export const askAboutCloudChange = definePlaybook(
  {
    id: 'ask-about-cloud-change',
    title: 'Ask about what an account did in a cloud, at a code host or at an identity provider',
    on: { match: { sensor: 'falco', tag: Object.keys(sources) }, minSeverity: 'info', requires: [] },
    per: 'workload',
    uses: { openTicket },
    levels: urgent,
  },
  async (context) => {
    const { alert, skip } = context;
    if (!atLeast(alert.severity, 'medium'))
      skip(`Recorded, and nobody is asked: “${alert.rule}” is ${alert.severity}, like everyday work.`);
    const who = alert.observables.find(({ type }) => type === 'user')?.value ?? 'an account';
    const from = addressesIn(alert);
    const todo = alert.tags.flatMap((tag) => sources[tag] ?? []).join(' ');
    const place = from.length === 0 ? 'The alert does not say where it came from.' : `It came from ${from.join(', ')}.`;
    if (!atLeast(alert.severity, 'high')) {
      await fileTicket(context, { title: `${alert.rule}, by ${who}`, done: [place, 'Nobody was asked.'], todo });
      return;
    }
    await askIfKnown(context, {
      question: `Does somebody other than ${who} know about it? ${alert.title}`,
      no: 'No, stop them',
      onSilence: 'Nothing is stopped. A ticket is filed.',
      ticket: `${alert.rule}, by ${who}`,
      stands: { unexpected: 'Nobody knows about it: it has to be stopped.', silence: 'Nobody answered.' },
      todo: `${place} ${todo}`,
    });
  },
);
