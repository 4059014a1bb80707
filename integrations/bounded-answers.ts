import { Readable, Transform } from 'node:stream';

/**
 * An answer of the AWS SDK, which collects whatever comes: one of more bytes than `atMost` ends in an error, and its connection ends, too. For a
 * middleware of the step `deserialize`.
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
      if (length > atMost) done(new RangeError(`an answer of more than ${atMost} bytes`));
      else done(null, part);
    },
  });
  body.on('error', (error) => counting.destroy(error));
  counting.on('close', () => body.destroy());
  return body.pipe(counting);
}
