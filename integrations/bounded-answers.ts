import { Readable, Transform } from 'node:stream';

/**
 * Bounds an answer of the AWS SDK, which buffers everything it receives: more than `atMost` bytes end in an error and close the connection. For a middleware of
 * the step `deserialize`.
 */
export function boundedAnswer<Output extends { readonly response: unknown }>(output: Output, atMost: number): Output {
  const response = output.response as { body?: unknown };
  if (response.body instanceof Readable) response.body = counted(response.body, atMost);
  return output;
}

function counted(body: Readable, atMost: number): Readable {
  let length = 0;
  const counting = new Transform({
    transform(part: Buffer, _encoding, done) {
      length += part.length;
      if (length > atMost) done(new RangeError(`the answer is larger than ${atMost} bytes`));
      else done(null, part);
    },
  });
  body.on('error', (error) => counting.destroy(error));
  counting.on('close', () => body.destroy());
  return body.pipe(counting);
}
