import { z } from 'zod';
import { errorBody } from './console.schema.ts';
import { type RouteShape, routeShapes } from './routes.schema.ts';
import { type ConsoleRoute, consoleRoutes, csrfHeader } from './routes.ts';

/** Returns the OpenAPI description of the console's API, made of the same schemas that validate it. https://spec.openapis.org/oas/v3.1.1.html */
export function openApiDescription(version: string): Readonly<Record<string, unknown>> {
  const names = Object.keys(consoleRoutes) as (keyof typeof consoleRoutes)[];
  const paths: Record<string, Record<string, unknown>> = {};
  for (const name of names) {
    const route: ConsoleRoute = consoleRoutes[name];
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operationOf(name, route, routeShapes[name]);
    paths[route.path] = path;
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Firebreak console',
      version,
      description:
        'What the console requests from the desk. People sign in with a browser at /console/sign-in. A request that changes something needs the session’s token in a header and has to come from the console’s own page. Whoever only reads may present a token of the identity provider instead, for the client that /api/v1/device-sign-in names.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: '__Host-firebreak' },
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'An ID token for the client of /api/v1/device-sign-in, such as `firebreak login --desk URL` gets. It allows reading only.',
        },
      },
      schemas: { Error: schemaOf(errorBody, 'output') },
    },
  };
}

function operationOf(name: string, route: ConsoleRoute, shape: RouteShape): Readonly<Record<string, unknown>> {
  const { params, query, body, response } = shape;
  const parameters = [
    ...parametersOf(params, 'path'),
    ...parametersOf(query, 'query'),
    ...(route.method === 'POST' ? [{ name: csrfHeader, in: 'header', required: true, schema: { type: 'string' } }] : []),
  ];
  const type = name === 'events' ? 'text/event-stream' : 'application/json';
  const isOpen = route.roles === 'anybody';
  return {
    operationId: name,
    summary: route.summary,
    security: isOpen ? [] : route.method === 'GET' ? [{ session: [] }, { token: [] }] : [{ session: [] }],
    'x-roles': isOpen ? [] : route.roles,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      200: { description: route.summary, content: { [type]: { schema: schemaOf(response, 'output') } } },
      default: {
        description: 'Why the request failed.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): readonly unknown[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input');
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: of,
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output') {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
