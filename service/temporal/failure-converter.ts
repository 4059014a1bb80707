import { ApplicationFailure, DefaultFailureConverter, type FailureConverter, type ProtoFailure } from '@temporalio/common';
import type { Received } from '../../core/messages/message.ts';
import { isObject } from '../../core/text/plain-json.ts';

const nobodySays = 'no trusted process has given a reason';

/**
 * Puts the message and the stack of every failure into a payload, which the codec signs and encrypts: otherwise Temporal would store them in plain text. They
 * are shown later only if someone trusted has signed them. Nothing that Temporal hands over makes this throw: in a workflow's worker, that would retry the task
 * for ever.
 */
class SignedFailureConverter extends DefaultFailureConverter {
  constructor() {
    super({ encodeCommonAttributes: true });
  }

  override failureToError(...[failure, payloadConverter, context]: Given): Error {
    try {
      return super.failureToError(inTrustedWords(failure, payloadConverter, context), payloadConverter, context);
    } catch {
      return ApplicationFailure.create({ type: 'FB_ERR_MESSAGE_REFUSED', message: nobodySays, nonRetryable: true });
    }
  }
}

type Given = Parameters<FailureConverter['failureToError']>;

function inTrustedWords(...[{ encodedAttributes, ...failure }, payloadConverter, context]: Given): ProtoFailure {
  const received =
    encodedAttributes && payloadConverter.fromPayload<Pick<Received, 'from' | 'value'>>(encodedAttributes, context);
  const { message, stack_trace: stackTrace } = received?.from && isObject(received.value) ? received.value : {};
  return {
    ...failure,
    message: typeof message === 'string' ? message : failure.timeoutFailureInfo ? 'it timed out' : nobodySays,
    stackTrace: typeof stackTrace === 'string' ? stackTrace : '',
  };
}

/** The Temporal SDK looks it up by this name, in the process and in the workflow bundle. */
export const failureConverter = new SignedFailureConverter();
