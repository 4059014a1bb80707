import type { Command } from 'commander';
import {
  askedElsewhere,
  elsewhereText,
  isStandingQuestion,
  releaseChoice,
  standingIdOf,
} from '../../core/decide/standing-question.ts';
import { FirebreakError } from '../../core/errors.ts';
import { notOpen } from '../incidents/cast-vote.ts';
import { choices, type LeaseChoice, leaseOf } from '../incidents/lease.ts';
import { namesWithIds } from '../incidents/names.ts';
import { mustBeConfirmable, withConfirmation } from './confirm.ts';
import { incidentNamed } from './incidents/incident-name.ts';
import { withExamples } from './options.ts';
import { withSession } from './session.ts';
import { submit, type VoterOptions, voterIn, withVoter } from './vote.ts';

/** Adds `firebreak containment extend|release|keep`. A lease is a standing question, so each answer is a signed vote like any other. */
export function registerContainmentCommand(program: Command): void {
  const lease = program
    .command('containment')
    .description('extend or release a containment, or make it permanent')
    .alias('lease');
  const subcommand = (choice: LeaseChoice) => {
    // To keep or extend a lease leaves the protection in place.
    const confirmed = choice === 'release' ? withConfirmation : (command: Command) => command;
    const command = confirmed(
      withVoter(
        lease
          .command(choice)
          .description(choices[choice])
          .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
          .argument('[lease]', 'id of the lease; needed if more than one is active'),
      ),
    );
    const why = choice === 'release' ? '--reason "our own job" ' : '';
    withExamples(command, [
      `firebreak containment ${choice} shop/Deployment/cart ${why}--as ada --key ~/.firebreak/ada.pem`,
    ]).action((written: string, leaseId: string | undefined, options: VoterOptions) =>
      answer({ choice, written, leaseId, options }),
    );
  };
  subcommand('extend');
  subcommand('release');
  subcommand('keep');
}

function answer(call: {
  readonly choice: LeaseChoice;
  readonly written: string;
  readonly leaseId: string | undefined;
  readonly options: VoterOptions;
}): Promise<void> {
  const { options } = call;
  if (call.choice === 'release') mustBeConfirmable(options, 'the name of the pod, workload or account to release');
  return withSession(options, async (session) => {
    const state = await incidentNamed(session, call.written);
    const id = leaseOf(state, call.leaseId);
    const question = state.questions.find(
      (one) => one.question.id === standingIdOf(id) && isStandingQuestion(one.question, state.incident),
    );
    const choice = question?.question.choices.find((one) => one.id === call.choice);
    if (!question || !choice) throw new FirebreakError('FB_ERR_NOT_OPEN', `there is no question about the lease ${id}`);
    if (question.status.state !== 'open') throw notOpen(question, namesWithIds(session.config.roster));
    const elsewhere = choice.id === releaseChoice ? askedElsewhere(question.question, state.questions) : undefined;
    if (elsewhere)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `${elsewhereText(elsewhere)} Here: firebreak answer ${state.incident.id} --question ${elsewhere.id}`,
      );
    await submit(session, { state, question, choice, ...voterIn(options) }, options);
  });
}
