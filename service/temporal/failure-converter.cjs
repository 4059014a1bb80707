/**
 * Puts the message and the stack of every failure into a payload, which the codec encrypts: Temporal would keep them in plain
 * text otherwise. CommonJS because Temporal's SDK `require`s it, in the process and in the workflow bundle.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
