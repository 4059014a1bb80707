import { basisTexts, type ComplianceReport, type ShownRequirement, valueText, withoutDesksText } from './compliance-report.ts';
import type { Measure } from './measures.ts';

/** https://pages.nist.gov/OSCAL/reference/latest/assessment-results/ */
const oscalVersion = '1.2.1';

/**
 * Returns the report as OSCAL assessment results: one result for the period, an observation for each measure, a finding for each requirement. We never set a
 * finding's target to `satisfied`: the state says that an assessor has to look, and the observations are what they look at.
 * @param uuid a new UUID (v4) at each call.
 */
export function reportOscal(report: ComplianceReport, uuid: () => string): Readonly<Record<string, unknown>> {
  const { framework, clusters, since, until, madeAt, program, requirements, measures } = report;
  const observed = new Map(measures.map((measure) => [measure.id, { measure, uuid: uuid() }] as const));
  const of = clusters.join(', ') || 'no cluster';
  const title = `${framework.name}: what the records of ${of} show`;
  return {
    'assessment-results': {
      uuid: uuid(),
      metadata: { title, 'last-modified': madeAt, version: program, 'oscal-version': oscalVersion, remarks: framework.source },
      'import-ap': { href: '#', remarks: 'Records of Firebreak, counted without an assessment plan.' },
      results: [
        {
          uuid: uuid(),
          title,
          description: `Records of ${of} from ${since} to ${until}: ${report.records.counted} counted, ${report.records.leftOut} left out because they are not proven.${withoutDesksText(report)}`,
          start: since,
          end: until,
          'reviewed-controls': {
            'control-selections': [
              {
                description: framework.name,
                'include-controls': requirements.map(({ id }) => ({ 'control-id': tokenOf(id) })),
                remarks: `Not in this report: ${framework.notListed}`,
              },
            ],
          },
          observations: [...observed.values()].map((one) => observationOf(one, madeAt)),
          findings: requirements.map((one) => findingOf(one, { uuid, observed })),
        },
      ],
    },
  };
}

interface Observed {
  readonly measure: Measure;
  readonly uuid: string;
}

function observationOf({ measure, uuid }: Observed, collected: string): Readonly<Record<string, unknown>> {
  const evidence = measure.records.map(({ chain, number }) => ({
    description: `record ${number} of ${chain}`,
    href: `urn:firebreak:record:${encodeURIComponent(chain)}:${number}`,
  }));
  return {
    uuid,
    title: measure.title,
    description: `${measure.title}: ${valueText(measure)}; ${measure.counted} records.`,
    methods: ['EXAMINE'],
    types: ['control-objective'],
    ...(evidence.length > 0 && { 'relevant-evidence': evidence }),
    collected,
  };
}

function findingOf(
  { id, asks, shown, notShown, measures, basis }: ShownRequirement,
  { uuid, observed }: { readonly uuid: () => string; readonly observed: ReadonlyMap<string, Observed> },
): Readonly<Record<string, unknown>> {
  const related = measures.flatMap((measure) => {
    const found = observed.get(measure);
    return found ? [{ 'observation-uuid': found.uuid }] : [];
  });
  return {
    uuid: uuid(),
    title: id,
    description: `${asks}. ${shown ?? ''}`.trim(),
    target: {
      type: 'objective-id',
      'target-id': tokenOf(id),
      status: {
        state: 'not-satisfied',
        reason: 'other',
        remarks: `Not judged by Firebreak: ${basisTexts[basis]}. Not shown: ${notShown}`,
      },
    },
    ...(related.length > 0 && { 'related-observations': related }),
  };
}

/** Returns an OSCAL token: begins with a letter, without spaces and brackets. */
function tokenOf(id: string): string {
  const text = id.toLowerCase().replaceAll('(', '.').replaceAll(')', '');
  return /^[a-z_]/.test(text) ? text : `r-${text}`;
}
