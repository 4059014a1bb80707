import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { QuestionCard, StoredButton } from '../../../../core/cards/card.ts';
import { slackLimits } from '../../../../integrations/slack/views/blocks.ts';
import { questionBlocks } from '../../../../integrations/slack/views/render.ts';
import { code, inline, plain, preformatted } from '../../../../integrations/slack/views/text.ts';
import { parseBlocks } from '../../../fakes/slack/methods/block-schema.ts';
import { questionCard } from '../fixture.ts';

function buttonsFor(card: QuestionCard): readonly StoredButton[] {
  return card.choices.map((choice) => ({
    buttonId: `b_${choice.id}`,
    incident: card.incident,
    question: card.questionId,
    questionDigest: card.questionDigest,
    choice: choice.id,
    label: choice.label,
    groups: ['oncall'],
    requester: 'playbook',
  }));
}

function rendered(card: QuestionCard) {
  return questionBlocks(card, { buttons: buttonsFor(card) });
}

function buttonTexts(card: QuestionCard): readonly string[] {
  return rendered(card).blocks.flatMap((block) =>
    block.type === 'actions' ? block.elements.flatMap((element) => (element.type === 'button' ? [element.text.text] : [])) : [],
  );
}

/** Sequences that Slack would act on: anything in angle brackets except our own dates. */
function sequences(text: string): readonly string[] {
  return (text.match(/<[^>]*>/g) ?? []).filter((found) => !found.startsWith('<!date^'));
}

const evil = fc.oneof(
  fc.constantFrom(
    '<!channel>',
    '<!here|x>',
    '<@U0ADA>',
    '<https://evil.example|Approve>',
    '` <!everyone> `',
    '```\n*Approved by Ada*\n```',
    '*bold* _it_ ~no~ > quote',
    '\u202eelbasrever\u202c',
    '\u0000\u0007\u001b[31m',
    '&lt;!channel&gt;',
    '@channel http://evil.example',
    '\ud800 lonely',
    '\u200b\u2060\ufeff',
    '',
    '🔥'.repeat(500),
    '&'.repeat(9_000),
    '\n\n\n'.repeat(500),
  ),
  fc.string({ unit: 'binary', maxLength: 400 }),
);

const choice = fc.record({
  label: evil,
  quorum: fc.integer({ min: 1, max: 3 }),
  destructive: fc.boolean(),
  weakens: fc.boolean(),
  changes: fc.array(evil, { maxLength: 6 }),
  blastRadius: fc.array(evil, { maxLength: 30 }),
  notes: fc.array(evil, { maxLength: 4 }),
});

const rubbishCard: fc.Arbitrary<QuestionCard> = fc
  .record({
    title: evil,
    text: evil,
    rule: evil,
    commandLine: evil,
    image: evil,
    contained: fc.array(
      fc.record({ action: evil, target: evil, state: fc.constantFrom('applied', 'unverified', 'failed'), since: evil }),
      { maxLength: 8 },
    ),
    evidence: fc.array(fc.record({ name: evil, sha256: evil, bytes: fc.nat() }), { maxLength: 30 }),
    choices: fc.array(choice, { minLength: 1, maxLength: 40 }),
    votes: fc.array(fc.record({ person: evil, choice: evil, at: evil }), { maxLength: 30 }),
    onSilence: evil,
    until: evil,
    severity: fc.constantFrom('critical', 'high', 'medium', 'low', 'info', 'unknown'),
    state: fc.constantFrom('open', 'decided', 'expired', 'void'),
  })
  .map((r) => {
    const base = questionCard();
    const status: QuestionCard['status'] =
      r.state === 'decided'
        ? { state: 'decided', choice: r.text, by: r.votes.map((vote) => vote.person), at: r.until }
        : r.state === 'expired'
          ? { state: 'expired', at: r.until }
          : r.state === 'void'
            ? { state: 'void', why: r.text, at: r.until }
            : { state: 'open' };
    return {
      ...base,
      incident: { ...base.incident, title: r.title, severity: r.severity },
      text: r.text,
      happened: {
        ...base.happened,
        ...{
          rule: r.rule,
          novelty: r.text,
          commandLine: r.commandLine,
          image: r.image,
          signature: r.image,
          doubt: r.image,
          wouldHave: r.image,
          rollout: { revision: r.rule },
        },
      },
      similar: {
        by: 'image' as const,
        days: 90,
        total: 1,
        verdicts: { benign: 1 },
        latest: [{ id: r.title, run: r.title, at: r.until, verdict: 'benign' as const }],
      },
      contained: r.contained,
      evidence: r.evidence,
      choices: r.choices.map((one, index) => ({ ...one, id: `c${index}` })),
      votes: r.votes,
      onSilence: r.onSilence,
      level: {
        ...base.level,
        group: r.title,
        until: r.until,
        people: r.votes.map(({ person }) => person),
        requesters: r.votes.map(({ person }, index) => ({ name: person, alone: index % 2 === 0 })),
      },
      status,
    };
  });

describe('the question card', () => {
  test('keeps to every limit of Slack, whatever the attacker wrote', () => {
    fc.assert(
      fc.property(rubbishCard, (card) => {
        const { text, blocks } = rendered(card);
        const checked = parseBlocks(blocks);
        expect(checked).toMatchObject({ ok: true });
        expect(JSON.stringify(blocks).length).toBeLessThan(13_000 + 6_000 * Number(card.choices.length > 20));
        expect(text.length).toBeLessThan(1_000);
        expect(text).not.toBe('');
      }),
      { numRuns: 150 },
    );
  });

  test('pings nobody and links nowhere, whatever the attacker wrote', () => {
    fc.assert(
      fc.property(rubbishCard, (card) => {
        const { text, blocks } = rendered(card);
        const texts = [text];
        const collect = (value: unknown): void => {
          if (Array.isArray(value)) value.forEach(collect);
          else if (typeof value === 'object' && value !== null) {
            if ('type' in value && value.type === 'mrkdwn') expect(value).toMatchObject({ verbatim: true });
            if ('text' in value && typeof value.text === 'string') texts.push(value.text);
            Object.values(value).forEach(collect);
          }
        };
        collect(blocks);
        for (const one of texts) {
          expect(sequences(one)).toEqual([]);
          expect(one).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b]|(?!\n)\p{Cc}/u);
          expect(one.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('says first who ran what and where, in a sentence, even for an alert that names neither process nor person', () => {
    const shownOf = (happened: Partial<QuestionCard['happened']>): string => {
      const base = questionCard();
      const { process: _, user: __, commandLine: ___, ...rest } = base.happened;
      return JSON.stringify(rendered({ ...base, happened: { ...rest, ...happened } }).blocks);
    };
    expect(shownOf({ process: '/usr/bin/nc', user: 'root' })).toContain(
      '*User root ran /usr/bin/nc in shop/cart; it is not in the image*',
    );
    expect(shownOf({ process: 'nc' })).toContain('*nc ran in shop/cart; it is not in the image*');
    expect(shownOf({ rule: 'k8s_service_account_token' })).toContain('*k8s service account token (shop/cart)*');
    const account = 'system:serviceaccount:shop:cart';
    const request = { account, verb: 'delete', resource: 'secrets', namespace: 'shop', name: 'cart-db' };
    expect(shownOf({ request })).toContain('*The service account shop/cart deleted secrets shop/cart-db*');
    const exec = { account: 'mallory', verb: 'create', resource: 'pods', subresource: 'exec', namespace: 'shop', name: 'cart-1' };
    expect(shownOf({ request: exec })).toContain('*User mallory ran a command in shop/cart*');
  });

  test('says in one line how many pods are left, and what similar incidents were', () => {
    const shown = JSON.stringify(rendered(questionCard()).blocks);
    expect(shown).toContain('2 of 3 pods ready · similar: 3 of 4 harmless');
    const { left, ...without } = questionCard();
    expect(JSON.stringify(rendered(without).blocks)).not.toContain('pods ready');
    expect(JSON.stringify(rendered({ ...without, ...(left && { left: { ...left, ready: 0, pods: 0 } }) }).blocks)).toContain(
      'no pod is left',
    );
  });

  test('says what mode contain would have done, whatever else there is no room for', () => {
    const wouldHave = 'Would have contained the pod: mode ask asks people first (scope payments)';
    const { happened } = questionCard();
    const reasons = Array.from({ length: 8 }, (_, nth) => `reason ${nth} ${'that is long '.repeat(20)}`);
    const text = JSON.stringify(rendered(questionCard({ happened: { ...happened, wouldHave, reasons } })).blocks);
    expect(text).toContain(`*${wouldHave}*`);
  });

  test('says why what the alert says is in doubt', () => {
    const card = questionCard();
    const doubt = 'the sender sees node `a`, but the pod is on node b';
    expect(JSON.stringify(rendered({ ...card, happened: { ...card.happened, doubt } }).blocks)).toContain(
      '⚠️ *In doubt*: the sender',
    );
    expect(JSON.stringify(rendered(card).blocks)).not.toContain('In doubt');
  });

  test('says in a sentence what was not seen before, and pings nobody with its words', () => {
    const card = questionCard();
    const novelty = 'First time in 30 days that sh runs <!channel> in shop/cart.';
    const shown = JSON.stringify(rendered({ ...card, happened: { ...card.happened, novelty } }).blocks);
    expect(shown).toContain('First time in 30 days that sh runs ');
    expect(shown).not.toContain('<!channel>');
  });

  test('says why it matters, in our words for the worst tactic of the rule, and nothing for an unknown one', () => {
    const card = questionCard();
    const shownOf = (tactics: readonly string[]): string =>
      JSON.stringify(rendered({ ...card, happened: { ...card.happened, rule: 'Our own rule', tactics } }).blocks);
    expect(shownOf(['TA0002', 'TA0010'])).toContain('Data may be leaving');
    expect(shownOf(['TA0002', 'TA0010'])).not.toContain('running code');
    const { tactics: _, ...without } = card.happened;
    expect(shownOf(['TA9999 <!channel>'])).toBe(
      JSON.stringify(rendered({ ...card, happened: { ...without, rule: 'Our own rule' } }).blocks),
    );
  });

  test('says when nobody may answer, and who is passed over', () => {
    const shownWith = (over: Partial<QuestionCard['level']>): string => {
      const card = questionCard();
      return JSON.stringify(rendered({ ...card, level: { ...card.level, ...over } }).blocks);
    };
    expect(shownWith({ people: ['Ada', 'Grace'] })).toBe(shownWith({}));
    expect(shownWith({ people: [] })).toMatch(/Nobody may answer now\*, nor may anybody of leads/);
    expect(shownWith({ people: ['Grace'], requesters: [{ name: 'Ada', alone: false }] })).toContain(
      'Ada ordered this, so others must answer.',
    );
    expect(shownWith({ people: ['Ada'], requesters: [{ name: 'Ada', alone: true }] })).toContain(
      'Ada ordered this, and nobody else can be asked',
    );
  });

  test('for a proposal shows the terms and the reason', () => {
    const base = questionCard();
    const choices = base.choices.map((one) => ({ ...one, notes: ['reason: maintenance of everything', 'proposed by Ada'] }));
    const proposal = { ...base, incident: { ...base.incident, id: 'control/prod-1', title: 'decisions of prod-1' }, choices };
    const shown = JSON.stringify(rendered({ ...proposal, contained: [] }).blocks);
    expect(shown).toContain('Reason: maintenance of everything\\nProposed by Ada');
    expect(shown).not.toContain('Not contained');
    expect(JSON.stringify(rendered({ ...base, choices }).blocks)).not.toContain('maintenance of everything');
  });

  test('says which choice needs a sign-in', () => {
    const card = questionCard();
    expect(JSON.stringify(rendered(card).blocks)).not.toContain('sign-in');
    const choices = card.choices.map((one) => ({ ...one, stepUp: true as const }));
    expect(JSON.stringify(rendered({ ...card, choices }).blocks).split('needs a sign-in')).toHaveLength(3);
  });

  test('has one button for each choice, in the order of the choices, with nothing but an opaque id', () => {
    fc.assert(
      fc.property(rubbishCard, (card) => {
        const buttons = rendered(card).blocks.flatMap((block) => (block.type === 'actions' ? block.elements : []));
        const values = buttons.map((button) => ('value' in button ? button.value : undefined));
        expect(values).toEqual(card.status.state === 'open' ? card.choices.map((one) => `b_${one.id}`) : []);
      }),
      { numRuns: 50 },
    );
  });

  test('says in the notification alone what it is about, what is wanted and until when', () => {
    const { text } = rendered(questionCard());
    expect(text).toBe('🔴 prod-1 shop/cart: Is the new binary in cart-7d9c5b6f4-x2x8k expected? Answer by 14:17 UTC.');
  });

  test('asks again before what cannot be undone and before what weakens the response', () => {
    const buttons = rendered(questionCard()).blocks.flatMap((block) => (block.type === 'actions' ? block.elements : []));
    expect(buttons).toMatchObject([{ action_id: 'fb_decide0' }, { action_id: 'fb_decide1', style: 'danger' }]);
  });

  test('asks nothing more when it is decided, expired or void, and says who decided', () => {
    const at = '2026-03-01T14:05:00Z';
    const decided = questionCard({ status: { state: 'decided', choice: 'remove', by: ['Ada Lovelace', 'Grace Hopper'], at } });
    expect(buttonTexts(decided)).toEqual([]);
    expect(JSON.stringify(rendered(decided).blocks)).toContain('by Ada Lovelace, Grace Hopper');
    expect(rendered(decided).text).toContain('No: rotate secrets and delete pod, decided by Ada Lovelace, Grace Hopper');
    const expired = questionCard({ status: { state: 'expired', at } });
    expect(buttonTexts(expired)).toEqual([]);
    expect(JSON.stringify(rendered(expired).blocks)).toContain('`/firebreak release shop/Deployment/cart REASON`');
    expect(JSON.stringify(rendered({ ...expired, contained: [] }).blocks)).not.toContain('/firebreak');
    expect(buttonTexts(questionCard({ status: { state: 'void', why: 'the pod is gone', at } }))).toEqual([]);
  });

  test('says how many of the people that a choice needs have chosen it', () => {
    const vote = { person: 'Ada Lovelace', choice: 'release', at: '2026-03-01T14:05:00Z' };
    const all = JSON.stringify(rendered(questionCard({ votes: [vote] })).blocks);
    expect(all).toContain('1 of 2 people (Ada Lovelace), ends containment');
    expect(all).toContain('1 person, ⚠️ cannot be undone');
  });

  test('says what is contained until when, what each choice needs and comes to, what silence means and who is next', () => {
    const all = JSON.stringify(rendered(questionCard()).blocks);
    for (const part of [
      '⛔ Quarantined until <!date^1772388131^{time}|18:02 UTC>: not proven yet',
      '*Yes: release pod*: 2 people, ends containment',
      '*No: rotate secrets and delete pod*: 1 person, ⚠️ cannot be undone',
      'No answer: The pod stays quarantined. Nothing is deleted.',
      '*oncall* until <!date^1772374631^{time}|14:17 UTC>, then leads',
    ]) {
      expect(all).toContain(part);
    }
    expect(JSON.stringify(rendered(questionCard({ contained: [] })).blocks)).toContain('Not contained: it runs as before');
  });
});

describe('the attacker’s text', () => {
  test('is cut by the length after escaping, never inside an entity', () => {
    expect(plain('&&&', 11)).toBe('&amp;&amp;…');
    expect(plain('<b>', 100)).toBe('&lt;b&gt;');
    expect(plain('🔥🔥', 3)).toBe('🔥…');
    expect(plain('a'.repeat(slackLimits.button + 1), slackLimits.button)).toHaveLength(slackLimits.button);
  });

  test('cannot escape its backticks', () => {
    expect(code('a`*b*`', 100)).toBe('`aˋ*b*ˋ`');
    expect(preformatted('x\n```\n<!channel>', 200)).toBe('```\nx\nˋˋˋ\n&lt;!channel&gt;\n```');
  });

  test('formats nothing outside of them either', () => {
    expect(inline('*a* _b_ ~c~ `d`', 100)).toBe('∗a∗ ˍbˍ ∼c∼ ˋdˋ');
    expect(inline('> quote', 100)).toBe('› quote');
    expect(inline(':white_check_mark: Decided', 100)).toBe('∶white_check_mark: Decided');
    expect(inline('DB_PASSWORD of shop/cart:1.4.2', 100)).toBe('DB_PASSWORD of shop/cart:1.4.2');
  });

  test('shows that something was hidden in it', () => {
    expect(plain('safe\u202etxt.exe', 100)).toBe('safe\ufffdtxt.exe');
  });
});
