import { z } from 'zod';
import { httpUrl, path, secret } from '../fields.ts';

const tls = z
  .strictObject({
    caFile: path.exactOptional().meta({
      description: 'Authorities (PEM) whose server certificates are trusted. Absent: those of the system.',
    }),
    certFile: path.exactOptional().meta({ description: 'Client certificate (PEM).' }),
    keyFile: path.exactOptional().meta({ description: 'Its private key (PEM).' }),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: 'certFile and keyFile are needed together',
    path: ['certFile'],
  });

export const telemetry = z
  .strictObject({
    otlp: z
      .strictObject({
        endpoint: httpUrl.exactOptional().meta({
          description:
            'Where a collector takes OTLP over HTTP; `/v1/traces` and `/v1/metrics` are appended to it. Default: `OTEL_EXPORTER_OTLP_ENDPOINT` of the environment, else `http://localhost:4318`.',
          examples: ['http://collector.observability:4318'],
        }),
        headers: secret.exactOptional().meta({
          description:
            'Headers of each request, as `OTEL_EXPORTER_OTLP_HEADERS` writes them: `name=value,name=value`, values percent-encoded. A file is read again for each request.',
        }),
        tls: tls
          .exactOptional()
          .meta({ description: 'For an endpoint with `https`. The files are read again for each request.' }),
        traces: z.boolean().default(true).meta({ description: 'One trace per incident.' }),
        metrics: z.boolean().default(true).meta({ description: 'The metrics of `/metrics`.' }),
      })
      .exactOptional()
      .meta({
        description:
          'Sends traces and metrics to an OpenTelemetry collector. Absent: nothing is sent, whatever the environment says.',
        examples: [{ endpoint: 'http://collector.observability:4318' }],
      }),
  })
  .prefault({});
