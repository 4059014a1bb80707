import type { ShownAssessment } from '../../core/console/console.schema.ts';
import { lastPart, shortName } from '../../core/text/object-name.ts';
import { Severity } from './common.tsx';

/** What the assessment says of an alert. Whether it was done is in the steps. */
const responseText = {
  contain: 'Contain at once',
  ask: 'Ask people',
  file: 'File for later',
  watch: 'Record only',
} as const;

/** What was decided about each pod and why. The reasons may contain an attacker's words. */
export function Assessments({ assessments }: { readonly assessments: readonly ShownAssessment[] }) {
  return (
    <ul class="rows">
      {assessments.map(({ rule, severity, pod, response, pages, mode, profile, scope, wouldHave, reasons }) => (
        <li key={pod ?? ''}>
          <div class="line">
            <h3>
              {responseText[response]}
              {pages && ', and page'}
            </h3>
            <Severity is={severity} />
          </div>
          {wouldHave !== null && (
            <p>
              <strong>{wouldHave}</strong>
            </p>
          )}
          <p class="soft small">
            {rule}
            {pod !== null && <> in {shortName(lastPart(pod))}</>}. Mode {mode}, profile {profile}, {scope}.
          </p>
          <ul class="reasons small">
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}
