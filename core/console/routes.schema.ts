import { z } from 'zod';
import {
  answerAccepted,
  answerBody,
  coverageBody,
  coverageQuery,
  deviceSignIn,
  drawingsBody,
  drawingsQuery,
  exportBody,
  incidentKey,
  incidentPage,
  incidentQuery,
  overview,
  peopleBody,
  playbookList,
  questionId,
  questionList,
  recordsBody,
  session,
  shownIncident,
  shownQuestionBody,
} from './console.schema.ts';
import { explainBody, explainQuery, responseBody, wouldHaveBody, wouldHaveQuery } from './response.schema.ts';
import type { ConsoleRouteName } from './routes.ts';

/** What a route accepts and returns. */
export interface RouteShape {
  /** For `{name}` in the path. */
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly response: z.ZodType;
}

const ofIncident = z.strictObject({ key: incidentKey });
const ofQuestion = z.strictObject({ question: questionId });
const done = z.object({ text: z.string() });

/** One for each line of `consoleRoutes`. */
export const routeShapes = {
  openapi: { response: z.record(z.string(), z.unknown()) },
  deviceSignIn: { response: deviceSignIn },
  session: { response: session },
  signOut: { response: done },
  incidents: { query: incidentQuery, response: incidentPage },
  incident: { params: ofIncident, response: shownIncident },
  records: { params: ofIncident, response: recordsBody },
  incidentExport: { params: ofIncident, response: exportBody },
  questions: { response: questionList },
  question: { params: ofQuestion, response: shownQuestionBody },
  answer: { params: ofQuestion, body: answerBody, response: answerAccepted },
  overview: { response: overview },
  playbooks: { response: playbookList },
  drawings: { query: drawingsQuery, response: drawingsBody },
  coverage: { query: coverageQuery, response: coverageBody },
  response: { response: responseBody },
  explain: { query: explainQuery, response: explainBody },
  wouldHave: { query: wouldHaveQuery, response: wouldHaveBody },
  people: { response: peopleBody },
  events: { response: z.string().meta({ description: 'text/event-stream' }) },
} as const satisfies Readonly<Record<ConsoleRouteName, RouteShape>>;

/** Requests and responses, by the route's name. */
export type ConsoleApi = {
  readonly [Name in ConsoleRouteName]: {
    readonly request: (typeof routeShapes)[Name] extends { readonly query: infer Query extends z.ZodType }
      ? z.input<Query>
      : undefined;
    readonly body: (typeof routeShapes)[Name] extends { readonly body: infer Body extends z.ZodType } ? z.input<Body> : undefined;
    readonly response: z.output<(typeof routeShapes)[Name]['response']>;
  };
};
