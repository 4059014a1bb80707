import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { AnswerBody, ConsoleQuestion, ConsoleSession, ShownChoice } from '../../core/console/console.schema.ts';
import { ask, RequestFault } from '../api.ts';
import { countText, placeText, plainText, sizeText } from '../words.ts';
import { Countdown, Fact, Problem, Severity, Sheet, Tag, Time, useNow } from './common.tsx';

type FormValue = NonNullable<AnswerBody['form']>[string];

/** What is asked, who may answer, until when, what silence means, and a way to answer with the whole plan in view. */
export function Question({
  question,
  session,
  isAlone = true,
}: {
  readonly question: ConsoleQuestion;
  readonly session: ConsoleSession;
  /** Shown without the incident around it, which would say where it is. */
  readonly isAlone?: boolean;
}) {
  const [open, setOpen] = useState<ShownChoice>();
  const now = useNow();
  const { incident, level, mine, choices, votes, state, onSilence, deadline, contained, happened } = question;
  const isOpen = state === 'open';
  const mayAnswer = isOpen && mine.may;
  return (
    <Sheet
      title={question.text}
      class={`question ${incident.severity}`}
      aside={
        isOpen ? (
          <span class="small">
            Answer <Countdown until={level.until} over="is overdue" />
          </span>
        ) : (
          <Tag>{state === 'decided' ? 'Decided' : state === 'expired' ? 'No answer' : 'Closed'}</Tag>
        )
      }
    >
      {isAlone && (
        <p class="line">
          <a href={`/console/incidents/${incident.key}`}>
            {placeText(incident)} in {incident.cluster}
          </a>
          <Severity is={incident.severity} />
        </p>
      )}
      {question.outcome !== null && <p class="outcome">{plainText(question.outcome, now)}</p>}
      {happened.length > 0 && (
        <ul class="small">
          {happened.map((line) => (
            <li key={line}>{plainText(line, now)}</li>
          ))}
        </ul>
      )}
      {contained.map((held) => (
        <p key={held.text}>
          <Tag tone={held.sure.startsWith('proven') ? 'good' : 'doubt'}>{held.sure}</Tag> {held.text}
          {held.until !== null && (
            <span class="soft">
              , until <Time at={held.until} />
            </span>
          )}
        </p>
      ))}
      {isOpen && (
        <ul class="choices">
          {choices.map((choice) => (
            <li key={choice.id}>
              {mayAnswer ? (
                <button type="button" class={choice.destructive ? 'danger' : ''} onClick={() => setOpen(choice)}>
                  {choice.label}
                </button>
              ) : (
                <strong>{choice.label}</strong>
              )}
              <span class="soft small">{effectText(choice)}</span>
            </li>
          ))}
        </ul>
      )}
      {isOpen && mine.why !== null && <p class="soft">{mine.why}</p>}
      {mine.said !== null && <p>You have answered: {choices.find(({ id }) => id === mine.said)?.label ?? mine.said}</p>}
      <dl class="facts small">
        {isOpen && (
          <>
            <Fact name="May answer">
              {level.people === null
                ? level.group
                : level.people.length === 0
                  ? `nobody in ${level.group} right now`
                  : level.people.join(', ')}
            </Fact>
            <Fact name="Asked next">
              {level.next === null ? (
                'nobody else'
              ) : (
                <>
                  {level.next}, from <Time at={level.until} />
                </>
              )}
            </Fact>
            <Fact name="If nobody answers">
              {plainText(onSilence, now)}
              {deadline !== null && (
                <span class="soft">
                  {' '}
                  Asked until <Time at={deadline} />.
                </span>
              )}
            </Fact>
          </>
        )}
        {votes.length > 0 && (
          <Fact name="Answers so far">
            <ul>
              {votes.map(({ person, choice, at, reason }) => (
                <li key={`${person} ${at}`}>
                  {person}: {choices.find(({ id }) => id === choice)?.label ?? choice}, <Time at={at} />
                  {reason !== null && <>: “{reason}”</>}
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </dl>
      {open && <AnswerDialog question={question} choice={open} session={session} onClose={() => setOpen(undefined)} />}
    </Sheet>
  );
}

function effectText({ quorum, votes, destructive, weakens, changes }: ShownChoice): string {
  const people = votes === 0 ? countText(quorum, 'person', 'people') : `${votes} of ${countText(quorum, 'person', 'people')}`;
  const effect = destructive
    ? 'cannot be undone'
    : weakens
      ? 'weakens the response'
      : changes.length === 0
        ? 'changes nothing'
        : 'can be undone';
  return `${people}, ${effect}`;
}

/** The whole plan of a choice, and what its answer needs. Nothing is decided here: the identity provider verifies the person, for exactly this answer. */
function AnswerDialog({
  question,
  choice,
  session,
  onClose,
}: {
  readonly question: ConsoleQuestion;
  readonly choice: ShownChoice;
  readonly session: ConsoleSession;
  readonly onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [target, setTarget] = useState('');
  const [form, setForm] = useState<Readonly<Record<string, FormValue>>>({});
  const [fault, setFault] = useState<RequestFault>();
  const [isSending, setSending] = useState(false);
  const [id, now] = [useId(), useNow()];
  useEffect(() => dialog.current?.showModal(), []);

  async function send(event: Event): Promise<void> {
    event.preventDefault();
    setSending(true);
    setFault(undefined);
    const body: AnswerBody = {
      choice: choice.id,
      digest: question.digest,
      ...(reason.trim() !== '' && { reason: reason.trim() }),
      ...(choice.target !== null && { target }),
      ...(Object.keys(form).length > 0 && { form: { ...form } }),
    };
    try {
      const { signIn } = await ask('answer', { params: { question: question.id }, body, csrf: session.csrf });
      window.location.assign(signIn);
    } catch (error) {
      setSending(false);
      setFault(error instanceof RequestFault ? error : new RequestFault('offline', 'Nothing was sent.', 'Try again.'));
    }
  }

  const wrong = (field: string) => {
    const text = fault?.fields[field];
    return text === undefined ? null : <span class="fault">{text}</span>;
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <form onSubmit={send} noValidate>
        <div class="head">
          <h2 id={id}>{choice.label}</h2>
          <p>{question.text}</p>
        </div>
        <div class="plan">
          <p>
            <strong>
              {choice.destructive
                ? 'This cannot be undone.'
                : choice.weakens
                  ? 'This weakens the response.'
                  : choice.changes.length === 0
                    ? 'This changes nothing in the cluster.'
                    : 'This can be undone.'}
            </strong>{' '}
            It needs {countText(choice.quorum, 'person', 'people')}
            {choice.votes > 0 && `; ${choice.votes} ${choice.votes === 1 ? 'has' : 'have'} already agreed`}.
          </p>
          <Lines title="What it does" lines={choice.changes} />
          <Lines title="What it touches" lines={choice.blastRadius} />
          <Lines title="Note" lines={choice.notes} />
          <Lines title="Evidence kept" lines={question.evidence.map(({ name, bytes }) => `${name}, ${sizeText(bytes)}`)} />
          {question.left !== null && <p class="small">{plainText(question.left, now)}</p>}
        </div>
        {Object.entries(choice.form).map(([name, field]) => (
          <FormField
            key={name}
            field={field}
            value={form[name]}
            fault={fault?.fields[`form.${name}`]}
            onValue={(value) => setForm((before) => ({ ...before, [name]: value }))}
          />
        ))}
        {choice.target !== null && (
          <label>
            Last four characters of {choice.target}
            <input
              value={target}
              maxLength={40}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              required
              aria-invalid={fault?.fields.target !== undefined}
              onInput={({ currentTarget }) => setTarget(currentTarget.value)}
            />
            {wrong('target')}
          </label>
        )}
        <label>
          <span>
            Why?{' '}
            <span class="hint">
              {choice.needsReason ? 'Signed with your answer, and kept on record.' : 'Optional. It is kept on record.'}
            </span>
          </span>
          <textarea
            value={reason}
            rows={2}
            maxLength={500}
            required={choice.needsReason}
            aria-invalid={fault?.fields.reason !== undefined}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
          {wrong('reason')}
        </label>
        {fault && (
          <Refusal fault={fault} shownFields={['target', 'reason', ...Object.keys(choice.form).map((name) => `form.${name}`)]} />
        )}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Go back
          </button>
          <button type="submit" class={choice.destructive ? 'primary danger' : 'primary'} disabled={isSending}>
            {isSending ? 'One moment …' : 'Continue to sign-in'}
          </button>
        </div>
        <p class="soft small">Nothing is decided until you have signed in for this answer.</p>
      </form>
    </dialog>
  );
}

/** Errors of a field are shown with it; the rest is shown here. */
function Refusal({ fault, shownFields }: { readonly fault: RequestFault; readonly shownFields: readonly string[] }) {
  const fields = Object.entries(fault.fields);
  if (fields.length === 0) return <Problem fault={fault} />;
  const others = fields.filter(([name]) => !shownFields.includes(name)).map(([, text]) => text);
  return (
    <p class="fault" role="alert">
      Nothing was sent: {others.length > 0 ? others.join(' ') : 'see the marked fields above.'}
    </p>
  );
}

function Lines({ title, lines }: { readonly title: string; readonly lines: readonly string[] }) {
  const now = useNow();
  if (lines.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul class="small">
        {lines.map((line) => (
          <li key={line}>{plainText(line, now, 'whole')}</li>
        ))}
      </ul>
    </div>
  );
}

function FormField({
  field,
  value,
  fault,
  onValue,
}: {
  readonly field: ShownChoice['form'][string];
  readonly value: FormValue | undefined;
  readonly fault: string | undefined;
  readonly onValue: (value: FormValue) => void;
}) {
  const { label, hint, kind, options, min, max, longest } = field;
  const id = useId();
  const about = { id, 'aria-invalid': fault !== undefined };
  return (
    <div class="field">
      <label for={id}>
        {label} {hint !== null && <span class="hint">{hint}</span>}
      </label>
      {kind === 'number' && (
        <input
          type="number"
          step="any"
          {...(min !== null && { min })}
          {...(max !== null && { max })}
          value={typeof value === 'number' ? value : ''}
          onInput={({ currentTarget }) => onValue(currentTarget.valueAsNumber)}
          {...about}
        />
      )}
      {kind === 'text' && (
        <textarea
          rows={2}
          {...(longest !== null && { maxLength: longest })}
          value={typeof value === 'string' ? value : ''}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
          {...about}
        />
      )}
      {kind === 'choice' && (
        <select
          value={typeof value === 'string' ? value : ''}
          onChange={({ currentTarget }) => onValue(currentTarget.value)}
          {...about}
        >
          <option value="">…</option>
          {options.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      {kind === 'people' && (
        <select
          multiple
          onChange={({ currentTarget }) => onValue([...currentTarget.selectedOptions].map((option) => option.value))}
          {...about}
        >
          {options.map(({ id, name }) => (
            <option key={id} value={id} selected={Array.isArray(value) && value.includes(id)}>
              {name}
            </option>
          ))}
        </select>
      )}
      {fault !== undefined && <span class="fault">{fault}</span>}
    </div>
  );
}
