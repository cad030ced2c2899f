import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import { SEED_ROUTES } from '../../shared/api-seed.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { jobSchemaDocument, openApiDocument, openApiPath } from './openapi.ts';

const table: Readonly<Record<string, Route>> = { ...ROUTES, ...SEED_ROUTES };

/** What OpenAPI 3.1 asks of the parts that are used here. */
const schemaObject = z.looseObject({});
const content = z.record(z.string().regex(/^[a-z]+\/[a-z0-9.+-]+$/), z.object({ schema: schemaObject }));
const response = z.union([z.object({ $ref: z.string() }), z.object({ description: z.string().min(1), content: content.optional() })]);
const operation = z.strictObject({
  operationId: z.string().min(1),
  summary: z.string().min(1),
  description: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z
    .array(z.strictObject({ name: z.string(), in: z.enum(['path', 'query', 'header']), required: z.boolean(), schema: schemaObject }))
    .optional(),
  requestBody: z.strictObject({ required: z.boolean(), content }).optional(),
  responses: z.record(z.string().regex(/^(default|[1-5]\d\d)$/), response),
});
const methods = z.partialRecord(z.enum(['get', 'put', 'post', 'delete', 'head', 'patch']), operation);
const documentSchema = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({ title: z.string(), version: z.literal('1.2.3'), description: z.string() }),
  paths: z.record(z.string().startsWith('/'), methods),
  components: z.looseObject({ securitySchemes: z.object({ token: z.object({ type: z.literal('http'), scheme: z.literal('bearer') }) }) }),
});

describe('the schema of lanyard.json', () => {
  const resources = join(import.meta.dirname, '../../resources');

  it('is in resources/ as the API gives it', async () => {
    await expect(`${JSON.stringify(jobSchemaDocument(), null, 2)}\n`).toMatchFileSnapshot(join(resources, 'lanyard.schema.json'));
  });

  it('takes the example, which names it, and nothing that the API would not', async () => {
    const schema = z.fromJSONSchema(jobSchemaDocument() as Parameters<typeof z.fromJSONSchema>[0]);
    const example = JSON.parse(await readFile(join(resources, 'examples/path-tracer/lanyard.json'), 'utf8'));
    expect(schema.safeParse(example)).toMatchObject({ success: true });
    expect(jobSpecSchema.parse(example).$schema).toBe('../../lanyard.schema.json');
    for (const wrong of [{}, { ...example, command: 7 }, { ...example, frames: '1-10' }, { ...example, tasks: { kind: 'all' } }]) {
      expect(schema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
      expect(jobSpecSchema.safeParse(wrong).success).toBe(false);
    }
  });
});

describe('the OpenAPI document', () => {
  const text = JSON.stringify(openApiDocument(table, '1.2.3'));
  const document = documentSchema.parse(JSON.parse(text));

  it.each(Object.entries(table))('tells of %s', (name, route) => {
    const path = openApiPath(route.path);
    const found = document.paths[path]?.[route.method.toLowerCase() as 'get'];
    expect(found?.operationId).toBe(name);
    const names = found?.parameters?.filter((one) => one.in === 'path').map((one) => one.name) ?? [];
    expect(names).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
    expect(found?.security).toEqual(route.roles.includes('anonymous') ? [] : [{ token: [] }]);
    expect(found?.requestBody !== undefined).toBe(route.body !== undefined || route.bytes?.body !== undefined);
  });

  it('has an id for every operation and a target for every reference', () => {
    const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map((one) => one.operationId));
    expect(new Set(ids).size).toBe(Object.keys(table).length);
    for (const [, pointer = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = pointer.split('/').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
      expect(target, pointer).toBeDefined();
    }
  });

  it('shows what a caller sends, not what it becomes', () => {
    const submit = document.paths['/api/jobs']?.post?.requestBody?.content['application/json']?.schema as {
      required: string[];
      properties: Record<string, Record<string, unknown>>;
    };
    expect(submit.required).toEqual(['command']);
    expect(submit.properties.input).toMatchObject({ type: 'string' });
    const list = document.paths['/api/jobs']?.get?.parameters?.find((one) => one.name === 'state');
    expect(list?.schema).toMatchObject({ type: 'string' });
    const create = document.paths['/api/jobs/create']?.post?.requestBody?.content['application/json']?.schema as {
      properties: Record<string, unknown>;
    };
    expect(Object.keys(create.properties)).toEqual(expect.arrayContaining(['command', 'fileUrl', 'requiredCpu', 'requiredRamMb']));
  });
});
