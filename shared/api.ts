import { z } from 'zod';
import { ADMINS, READERS, type Route, SUBMITTERS } from './api-route.ts';
import { TRUST_ROUTES } from './api-trust.ts';
import { someNeedsSchema } from './canary.ts';
import { errorSchema } from './errors.ts';
import { findingSchema } from './finding.ts';
import { type JobSpecInput, jobIdSchema, jobSpecSchema, TASK_STATES } from './job.ts';
import { LIMITS } from './limits.ts';
import { submissionSchema } from './stages.ts';
import { templateIdSchema, templateSchema, templateViewSchema } from './template.ts';
import {
  attemptViewSchema,
  explanationSchema,
  jobDetailSchema,
  jobViewSchema,
  limitViewSchema,
  nodeAttemptViewSchema,
  nodeCacheViewSchema,
  nodeExplanationSchema,
  nodeViewSchema,
  outputViewSchema,
  ownerViewSchema,
  taskViewSchema,
  totalsSchema,
} from './view.ts';

const jobParams = z.object({ job: jobIdSchema });
const index = z.coerce.number().int().min(0);
const taskParams = z.object({ job: jobIdSchema, index });
const attemptParams = z.object({ job: jobIdSchema, index, number: z.coerce.number().int().min(1) });
const nodeParams = z.object({ node: z.string().min(1).max(128) });
const blobParams = z.object({ blob: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits (a SHA-256)') });
const templateParams = z.object({ template: templateIdSchema });
const page = z.object({
  limit: z.coerce.number().int().min(1).max(LIMITS.pageRows).default(100),
  offset: z.coerce.number().int().min(0).default(0),
});
const listOf = <T extends z.ZodType>(item: T) => z.array(item);
/** `?state=FAILED,TIMED_OUT` */
const states = z
  .string()
  .optional()
  .transform((text) => text?.split(',').map((part) => part.trim().toUpperCase()))
  .pipe(listOf(z.enum(TASK_STATES)).optional());

/** Parsed one by one by whoever takes them: one that is not valid is refused, and not all. */
const batchedJob = z.unknown().meta({ description: 'a job, as `POST /api/jobs` takes it' }) as z.ZodType<unknown, JobSpecInput>;

const okSchema = z.object({ ok: z.literal(true) });

/**
 * The HTTP API as one table: the server registers its routes from it, the client calls by its names, and
 * the OpenAPI document at `/api/openapi.json` is made from it. Routes whose bodies are bytes are listed with `bytes`.
 * The earlier system's own routes stand in `api-seed.ts`.
 */
export const ROUTES = {
  health: {
    method: 'GET',
    path: '/api/health',
    roles: ['anonymous'],
    summary: 'Says that the coordinator is up, and its version',
    answer: z.object({ status: z.literal('ok'), version: z.string() }),
  },
  openapi: { method: 'GET', path: '/api/openapi.json', roles: [...READERS, 'worker'], summary: 'This document' },
  jobSchema: { method: 'GET', path: '/api/lanyard.schema.json', roles: [...READERS, 'worker'], summary: 'The JSON schema of lanyard.json' },
  farm: {
    method: 'GET',
    path: '/api/farm',
    roles: [...READERS, 'worker'],
    summary: 'The farm and its totals, and who asks',
    answer: z.object({
      id: z.string(),
      name: z.string(),
      version: z.string(),
      totals: totalsSchema,
      /** Of the token that asks: a screen offers only what it may do. */
      role: z.enum(['viewer', 'submitter', 'worker', 'admin']),
      /** Who asks: the owner of what it submits. */
      subject: z.string(),
    }),
  },
  submitJob: {
    method: 'POST',
    path: '/api/jobs',
    roles: SUBMITTERS,
    summary: 'Submits a job; answered when it is on disk',
    body: jobSpecSchema,
    answer: jobViewSchema,
  },
  submitJobs: {
    method: 'POST',
    path: '/api/jobs/batch',
    roles: SUBMITTERS,
    summary: 'Submits many jobs at once, each of which is taken or refused by itself; answered when those that are taken are on disk',
    body: z.strictObject({ jobs: listOf(batchedJob).min(1).max(LIMITS.jobsPerRequest) }),
    answer: z.object({
      /** In the order of `jobs`: the id of the job, or why it was refused. */
      results: listOf(z.union([z.object({ job: z.number().int() }), z.object({ error: errorSchema })])),
    }),
  },
  submitStream: {
    method: 'POST',
    path: '/api/jobs/stream',
    roles: SUBMITTERS,
    summary: 'Submits jobs as they come: each line of the body is a body of POST /api/jobs/batch, each line of the answer the answer to it',
    bytes: { body: 'application/x-ndjson', answer: 'application/x-ndjson' },
  },
  submitStages: {
    method: 'POST',
    path: '/api/submissions',
    roles: SUBMITTERS,
    summary: 'Submits several jobs that wait for each other by name, all or none',
    body: submissionSchema,
    answer: z.object({ jobs: listOf(jobViewSchema) }),
  },
  listJobs: {
    method: 'GET',
    path: '/api/jobs',
    roles: READERS,
    summary: 'Jobs, newest first',
    query: page.extend({
      state: states,
      owner: z.string().max(LIMITS.nameLength).optional(),
      search: z.string().max(LIMITS.nameLength).optional(),
      order: z.enum(['newest', 'oldest', 'priority']).default('newest'),
    }),
    answer: z.object({ jobs: listOf(jobViewSchema), total: z.number().int() }),
  },
  getJob: { method: 'GET', path: '/api/jobs/:job', roles: READERS, summary: 'One job', params: jobParams, answer: jobDetailSchema },
  updateJob: {
    method: 'PATCH',
    path: '/api/jobs/:job',
    roles: SUBMITTERS,
    summary: "Holds a job back, lets it go on, changes its priority, or moves it among its owner's jobs of that priority",
    params: jobParams,
    body: z.strictObject({
      held: z.boolean().optional(),
      priority: z.number().int().min(0).max(100).optional(),
      move: z.union([z.enum(['first', 'last']), z.strictObject({ before: jobIdSchema })]).optional(),
    }),
    answer: jobViewSchema,
  },
  removeJob: {
    method: 'DELETE',
    path: '/api/jobs/:job',
    roles: SUBMITTERS,
    summary: 'Removes a job that has ended, with its logs and outputs',
    params: jobParams,
    answer: okSchema,
  },
  cancelJob: {
    method: 'POST',
    path: '/api/jobs/:job/cancel',
    roles: SUBMITTERS,
    summary: 'Cancels a job',
    params: jobParams,
    answer: jobViewSchema,
  },
  retryJob: {
    method: 'POST',
    path: '/api/jobs/:job/retry',
    roles: SUBMITTERS,
    summary: 'Runs what failed, timed out or was cancelled again',
    params: jobParams,
    answer: jobViewSchema,
  },
  approveCanary: {
    method: 'POST',
    path: '/api/jobs/:job/canary',
    roles: SUBMITTERS,
    summary: 'Lets the rest of a job run after its canary: with what was proposed, but for what is named here',
    params: jobParams,
    body: someNeedsSchema,
    answer: jobViewSchema,
  },
  explainJob: {
    method: 'GET',
    path: '/api/jobs/:job/explain',
    roles: READERS,
    summary: 'Why the job waits, and what would help',
    params: jobParams,
    answer: explanationSchema,
  },
  explainTask: {
    method: 'GET',
    path: '/api/jobs/:job/tasks/:index/explain',
    roles: READERS,
    summary: 'Why one task waits or failed, and what would help',
    params: taskParams,
    answer: explanationSchema,
  },
  listTasks: {
    method: 'GET',
    path: '/api/jobs/:job/tasks',
    roles: READERS,
    summary: 'Tasks of a job, by index',
    params: jobParams,
    query: page.extend({ state: states }),
    answer: z.object({ tasks: listOf(taskViewSchema), total: z.number().int() }),
  },
  getTask: {
    method: 'GET',
    path: '/api/jobs/:job/tasks/:index',
    roles: READERS,
    summary: 'One task with its attempts',
    params: taskParams,
    answer: z.object({ task: taskViewSchema, attempts: listOf(attemptViewSchema) }),
  },
  cancelTask: {
    method: 'POST',
    path: '/api/jobs/:job/tasks/:index/cancel',
    roles: SUBMITTERS,
    summary: 'Cancels one task',
    params: taskParams,
    answer: jobViewSchema,
  },
  attemptLog: {
    method: 'GET',
    path: '/api/jobs/:job/tasks/:index/attempts/:number/log',
    roles: READERS,
    summary: 'The log of an attempt: from an offset, as it grows with `follow`',
    params: attemptParams,
    query: z.object({
      /** In bytes of the framed form when `format` is `framed`, else of the text. */
      offset: z.coerce.number().int().min(0).default(0),
      follow: z.stringbool().default(false),
      format: z.enum(['text', 'framed', 'ndjson']).default('text'),
      stream: z.enum(['stdout', 'stderr', 'system']).optional(),
    }),
    bytes: { answer: 'text, framed records, or one JSON object {stream,time,text} a line' },
  },
  listOutputs: {
    method: 'GET',
    path: '/api/jobs/:job/outputs',
    roles: READERS,
    summary: 'Files that the job has produced',
    params: jobParams,
    answer: z.object({ outputs: listOf(outputViewSchema) }),
  },
  outputsZip: {
    method: 'GET',
    path: '/api/jobs/:job/outputs.zip',
    roles: READERS,
    summary: 'All outputs as one zip',
    params: jobParams,
    bytes: { answer: 'application/zip' },
  },
  outputFile: {
    method: 'GET',
    path: '/api/jobs/:job/tasks/:index/outputs/*',
    roles: READERS,
    summary: 'One output file; ranges are honoured',
    params: taskParams,
    bytes: { answer: 'application/octet-stream' },
  },
  outputThumbnail: {
    method: 'GET',
    path: '/api/jobs/:job/tasks/:index/thumbnails/*',
    roles: READERS,
    summary: 'A small copy of an output that is a picture (PNG, JPEG, WebP, GIF, TIFF, EXR)',
    params: taskParams,
    query: z.object({ size: z.enum(['small', 'large']).default('small') }),
    bytes: { answer: 'image/webp' },
  },
  listNodes: { method: 'GET', path: '/api/nodes', roles: READERS, summary: 'Nodes', answer: z.object({ nodes: listOf(nodeViewSchema) }) },
  getNode: { method: 'GET', path: '/api/nodes/:node', roles: READERS, summary: 'One node', params: nodeParams, answer: nodeViewSchema },
  explainNode: {
    method: 'GET',
    path: '/api/nodes/:node/explain',
    roles: READERS,
    summary: 'Why a node takes no more work',
    params: nodeParams,
    answer: nodeExplanationSchema,
  },
  listNodeAttempts: {
    method: 'GET',
    path: '/api/nodes/:node/attempts',
    roles: READERS,
    summary: 'What ran on a node and has ended, newest first',
    params: nodeParams,
    query: page,
    answer: z.object({ attempts: listOf(nodeAttemptViewSchema), total: z.number().int() }),
  },
  getNodeCache: {
    method: 'GET',
    path: '/api/nodes/:node/cache',
    roles: READERS,
    summary: 'What a node keeps: inputs that it need not fetch again, and images. It is asked, so it has to be connected',
    params: nodeParams,
    answer: nodeCacheViewSchema,
  },
  clearNodeCache: {
    method: 'DELETE',
    path: '/api/nodes/:node/cache',
    roles: ['worker', 'admin'],
    summary: 'Removes the inputs that nothing works on from the cache of a node: for administrators, and for the node itself',
    params: nodeParams,
    answer: nodeCacheViewSchema,
  },
  updateNode: {
    method: 'PATCH',
    path: '/api/nodes/:node',
    roles: ADMINS,
    summary: 'Pauses, drains or resumes a node',
    params: nodeParams,
    body: z.strictObject({ availability: z.enum(['available', 'draining', 'paused']) }),
    answer: nodeViewSchema,
  },
  removeNode: {
    method: 'DELETE',
    path: '/api/nodes/:node',
    roles: ADMINS,
    summary: 'Forgets a node; its attempts go back to the queue',
    params: nodeParams,
    answer: okSchema,
  },
  listOwners: {
    method: 'GET',
    path: '/api/owners',
    roles: READERS,
    summary: 'What each owner has had of the farm lately, and may have: whoever has had least, by weight, goes first',
    answer: z.object({ owners: listOf(ownerViewSchema) }),
  },
  listLimits: {
    method: 'GET',
    path: '/api/limits',
    roles: READERS,
    summary: 'Counters that the whole farm shares (licences): how much of each is held, and what waits for it',
    answer: z.object({ limits: listOf(limitViewSchema) }),
  },
  headBlob: {
    method: 'HEAD',
    path: '/api/blobs/:blob',
    roles: [...READERS, 'worker'],
    summary: 'Is it here? Content-Length when it is; Upload-Offset when a part of it is (404)',
    params: blobParams,
  },
  getBlob: {
    method: 'GET',
    path: '/api/blobs/:blob',
    roles: [...READERS, 'worker'],
    summary: 'The bytes of a blob; ranges are honoured',
    params: blobParams,
    bytes: { answer: 'application/octet-stream' },
  },
  putBlob: {
    method: 'PATCH',
    path: '/api/blobs/:blob',
    roles: [...SUBMITTERS, 'worker'],
    summary: 'Appends to an upload: headers Upload-Offset and Upload-Length; verified when complete',
    params: blobParams,
    bytes: { body: 'application/octet-stream' },
    answer: z.object({ received: z.number().int(), complete: z.boolean() }),
  },
  events: {
    method: 'GET',
    path: '/api/events',
    roles: READERS,
    summary: 'Server-sent events: a snapshot, then deltas (`view.ts`)',
    bytes: { answer: 'text/event-stream' },
  },
  listTemplates: {
    method: 'GET',
    path: '/api/templates',
    roles: READERS,
    summary: "Templates of jobs: the program's and the farm's own",
    answer: z.object({ templates: listOf(templateViewSchema) }),
  },
  getTemplate: {
    method: 'GET',
    path: '/api/templates/:template',
    roles: READERS,
    summary: 'One template, with the JSON Schema of its values',
    params: templateParams,
    answer: templateViewSchema,
  },
  putTemplate: {
    method: 'PUT',
    path: '/api/templates/:template',
    roles: ADMINS,
    summary: 'Puts a template into the farm, in place of one of the same id',
    params: templateParams,
    body: templateSchema,
    answer: templateViewSchema,
  },
  removeTemplate: {
    method: 'DELETE',
    path: '/api/templates/:template',
    roles: ADMINS,
    summary: 'Takes a template out of the farm',
    params: templateParams,
    answer: okSchema,
  },
  renderTemplate: {
    method: 'POST',
    path: '/api/templates/:template/render',
    roles: READERS,
    summary: 'What a template makes of these values: a job for POST /api/jobs, or stages for POST /api/submissions',
    params: templateParams,
    body: z.strictObject({ preset: z.string().optional(), values: z.record(z.string(), z.unknown()).default({}) }),
    answer: z.object({ job: jobSpecSchema.optional(), submission: submissionSchema.optional() }),
  },
  doctor: {
    method: 'GET',
    path: '/api/doctor',
    roles: ADMINS,
    summary: "What stands between the coordinator's machine and the farm, and what to do: as `lanyard doctor` there. Takes some seconds",
    answer: z.object({ findings: listOf(findingSchema) }),
  },
  backup: {
    method: 'POST',
    path: '/api/backup',
    roles: ADMINS,
    summary: 'Writes a consistent copy of the database into the data folder',
    answer: z.object({ path: z.string() }),
  },
  ...TRUST_ROUTES,
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
