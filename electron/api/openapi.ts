import { z } from 'zod';
import type { Route } from '../../shared/api-route.ts';
import { errorSchema } from '../../shared/errors.ts';
import { jobSpecSchema } from '../../shared/job.ts';

type Json = { [key: string]: unknown };

/** The OpenAPI 3.1 document of a table of routes; `name` of the table is the operation's id. */
export function openApiDocument(table: Readonly<Record<string, Route>>, version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries(table)) {
    const path = openApiPath(route.path);
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(name, route, path);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Lanyard', version, description: 'The HTTP interface of a Lanyard coordinator.' },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: { type: 'object', properties: { error: schemaOf(errorSchema, 'output') }, required: ['error'] } },
      responses: {
        Error: {
          description: 'What went wrong, and what to do',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  };
}

/** The JSON schema of `lanyard.json` and of the body of `POST /api/jobs`, for editors and scripts; `resources/lanyard.schema.json` is a copy. */
export function jobSchemaDocument(): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A job of Lanyard',
    description: 'What lanyard.json at the top of a zip says, and POST /api/jobs takes. Only the command must be there.',
    ...schemaOf(jobSpecSchema, 'input'),
  };
}

/** `/api/jobs/:job/outputs/*` becomes `/api/jobs/{job}/outputs/{path}`. */
export function openApiPath(path: string): string {
  return path.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{path}');
}

function operation(name: string, route: Route, path: string): Json {
  const parameters = [...pathParameters(route, path), ...queryParameters(route)];
  const isOpen = route.roles.includes('anonymous');
  return {
    operationId: name,
    summary: route.summary,
    description: isOpen ? 'Needs no token.' : `Roles: ${route.roles.join(', ')}.`,
    security: isOpen ? [] : [{ token: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBody(route),
    responses: { 200: answer(route), default: { $ref: '#/components/responses/Error' } },
  };
}

function pathParameters(route: Route, path: string): Json[] {
  const schemas = route.params === undefined ? {} : propertiesOf(route.params);
  return [...path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: schemas[name] ?? { type: 'string' },
  }));
}

function queryParameters(route: Route): Json[] {
  if (route.query === undefined) return [];
  return Object.entries(propertiesOf(route.query)).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function requestBody(route: Route): Json {
  const content: Json = {};
  if (route.body !== undefined) content['application/json'] = { schema: schemaOf(route.body, 'input') };
  if (route.bytes?.body !== undefined) content[route.bytes.body] = { schema: { type: 'string', format: 'binary' } };
  return Object.keys(content).length === 0 ? {} : { requestBody: { required: true, content } };
}

function answer(route: Route): Json {
  if (route.answer !== undefined)
    return { description: 'Done', content: { 'application/json': { schema: schemaOf(route.answer, 'output') } } };
  const text = route.bytes?.answer;
  if (text === undefined) return { description: 'Done' };
  const isType = /^[a-z]+\/[a-z0-9.+-]+$/.test(text);
  return { description: text, content: { [isType ? text : 'application/octet-stream']: { schema: { type: 'string', format: 'binary' } } } };
}

function propertiesOf(schema: z.ZodType): Record<string, unknown> {
  return (schemaOf(schema, 'input').properties ?? {}) as Record<string, unknown>;
}

/** A transform has no schema of its own: where one stands at the end that is asked for, its other end is shown. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const definition = zodSchema._zod.def;
      if (definition.type !== 'pipe') return;
      const ends = definition as unknown as { in: z.ZodType; out: z.ZodType };
      const [near, far] = io === 'input' ? [ends.in, ends.out] : [ends.out, ends.in];
      if (near._zod.def.type === 'transform') Object.assign(jsonSchema, schemaOf(far, io));
    },
  }) as Json;
  return json;
}
