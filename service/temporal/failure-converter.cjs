/**
 * Puts the message and the stack of every failure into a payload, which the codec signs and encrypts: Temporal would keep them in plain
 * text otherwise. What comes back is shown only where somebody who is trusted has signed it, and nothing that Temporal hands over makes this
 * throw: in a workflow's worker that would have the task done again for ever.
 * CommonJS because Temporal's SDK `require`s it, in the process and in the workflow bundle.
 */
const { ApplicationFailure, DefaultFailureConverter } = require('@temporalio/common');

const nobodySays = 'no process that is trusted says why';

class SignedFailureConverter extends DefaultFailureConverter {
  constructor() {
    super({ encodeCommonAttributes: true });
  }

  failureToError(failure, payloadConverter, context) {
    try {
      return super.failureToError(inTrustedWords(failure, payloadConverter, context), payloadConverter, context);
    } catch {
      return ApplicationFailure.create({ type: 'FB_ERR_MESSAGE_REFUSED', message: nobodySays, nonRetryable: true });
    }
  }
}

function inTrustedWords({ encodedAttributes, ...failure }, payloadConverter, context) {
  const { from, value } = (encodedAttributes && payloadConverter.fromPayload(encodedAttributes, context)) ?? {};
  const { message, stack_trace: stackTrace } = (from && value) || {};
  return {
    ...failure,
    message: typeof message === 'string' ? message : failure.timeoutFailureInfo ? 'it timed out' : nobodySays,
    stackTrace: typeof stackTrace === 'string' ? stackTrace : '',
  };
}

exports.failureConverter = new SignedFailureConverter();
