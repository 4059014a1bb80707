import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type AuditRecord, genesisHash, recordHash } from '../../../core/audit/audit.ts';
import type { EventMaker, StreamEvent, StreamedRecord } from '../../../core/streams/stream.ts';
import { makerOf } from '../../suites/signed-records.ts';

export const eventMaker: EventMaker = { cluster: 'c', version: '1.2.3' };

const classNames: Readonly<Record<number, string>> = {
  2004: 'detection_finding',
  2005: 'incident_finding',
  6003: 'api_activity',
  7001: 'remediation_activity',
};

/** From the vendored schema: `test/fixtures/ocsf/README.md`. */
const validators: ReadonlyMap<string, ValidateFunction> = (() => {
  const file = new URL('../../fixtures/ocsf/1.8.0.json.gz', import.meta.url);
  const schemas: Readonly<Record<string, object>> = JSON.parse(gunzipSync(readFileSync(file)).toString());
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  return new Map(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
})();

/** Problems of an OCSF event by the vendored schema; empty if it is valid. */
export function ocsfProblems({ json }: Pick<StreamEvent, 'json'>): readonly string[] {
  const event = JSON.parse(json);
  const validate = validators.get(classNames[event.class_uid] ?? '');
  if (!validate) return [`class ${event.class_uid} is none of ours`];
  const problems = validate(event)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  // What a JSON schema does not check: the type follows from the class and the activity.
  if (event.type_uid !== event.class_uid * 100 + event.activity_id) problems.push('its type is of another class or activity');
  return problems;
}

/** Problems of a CloudEvent, by the requirements of its specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
export function cloudEventProblems({ json }: Pick<StreamEvent, 'json'>): readonly string[] {
  const event: Readonly<Record<string, unknown>> = JSON.parse(json);
  const wanted: Readonly<Record<string, RegExp>> = {
    ...{ specversion: /^1\.0$/, id: /./, source: /./, type: /./, subject: /./, partitionkey: /./, sequence: /^\d{10}$/ },
    ...{ time: /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/, datacontenttype: /^application\/json$/ },
  };
  const problems = Object.entries(wanted).flatMap(([name, like]) => {
    const value = event[name];
    return typeof value === 'string' && like.test(value) ? [] : [`${name} is not as it has to be`];
  });
  // Lower-case letters and digits, at most twenty.
  const misnamed = Object.keys(event).filter((name) => !/^[a-z0-9]{1,20}$/.test(name));
  return [...problems, ...misnamed.map((name) => `no attribute is called ${name}`), ...('data' in event ? [] : ['has no data'])];
}

/** The record as it leaves the store. */
export function streamed(record: AuditRecord, place = record.number): StreamedRecord {
  const signed = makerOf(record.chain).sign(record);
  return { place, previous: genesisHash, hash: recordHash(signed, genesisHash), signed };
}
