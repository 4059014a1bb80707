import { ApplicationFailure, DefaultFailureConverter, type FailureConverter, type ProtoFailure } from '@temporalio/common';
import type { Received } from '../../core/messages/message.ts';
import { isObject } from '../../core/text/plain-json.ts';

const nobodySays = 'no process that is trusted says why';

/**
 * Puts the message and the stack of every failure into a payload, which the codec signs and encrypts: Temporal would keep them in plain
 * text otherwise. What comes back is shown only where somebody who is trusted has signed it, and nothing that Temporal hands over makes this
 * throw: in a workflow's worker that would have the task done again for ever.
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

/** By this name the SDK of Temporal asks for it, in the process and in the workflow bundle. */
export const failureConverter = new SignedFailureConverter();
