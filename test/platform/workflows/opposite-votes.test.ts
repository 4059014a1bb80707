import { expect, test } from '@jest/globals';
import { testPlatform } from '../../platform.ts';
import type { RunningIncident } from '../../workflows/harness.ts';
import { alertOf, signVote } from '../../workflows/people.ts';
import { mainQuestion, recordsIn, voteOn } from '../../workflows/voting.ts';
import { useRealLab } from './use-real-lab.ts';

const platform = await testPlatform();
const { lab } = useRealLab(platform);

const recordsOf = (incident: RunningIncident, kind: string) => recordsIn(lab, incident, kind);

test('two people who click opposite answers at once get exactly one outcome, in either order', async () => {
  for (let seed = 0; seed < 12; seed += 1) {
    const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })]);
    const asked = await incident.question();
    const votes = [
      signVote(voteOn(asked, { person: 'ana', choice: 'expected', reason: 'our own scanner' })),
      signVote(voteOn(asked, { person: 'ben', choice: 'quarantine' })),
    ];
    if (seed % 2 === 1) votes.reverse();
    await Promise.all(votes.map((vote) => incident.signal(vote)));
    const decided = await incident.until((state) => mainQuestion(state)?.status.state === 'decided', 'a decision');
    const status = mainQuestion(decided)?.status;
    await incident.until(() => recordsOf(incident, 'vote.refused').length === 1, 'the other one’s refusal');
    const quarantined = () =>
      lab.seen.applied.some((call) => call.incident.id === incident.id && call.action === 'quarantinePod');
    if (status?.state === 'decided' && status.choice === 'quarantine') {
      await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'the quarantine');
      expect(decided.verdict === 'benign').toBe(false);
    } else {
      expect((await incident.result()).verdict).toBe('benign');
      expect(quarantined()).toBe(false);
    }
    expect(recordsOf(incident, 'question.decided')).toHaveLength(1);
    expect(recordsOf(incident, 'vote.accepted')).toHaveLength(1);
  }
});
