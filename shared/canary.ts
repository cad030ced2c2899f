import { z } from 'zod';
import { LIMITS } from './limits.ts';

/**
 * A job's canary: its first, middle and last task run before all others, so that what they need is known, and what comes out of them can
 * be looked at, before the rest of a long job is let go.
 */

const cpu = z.number().min(0.01).max(4096).describe('CPU cores');
const ramMb = z.number().int().min(1).max(16_777_216).describe('memory, MiB');
const timeoutMs = z.number().int().min(1_000).max(LIMITS.timeoutMs).describe('longest run of one attempt, ms');

/** What a canary learns about, of one task: CPU cores, memory (MiB) and the longest run (ms). */
export const taskNeedsSchema = z.strictObject({ cpu, ramMb, timeoutMs });
export type TaskNeeds = Readonly<z.infer<typeof taskNeedsSchema>>;

/** A part of them, as a person changes them. */
export const someNeedsSchema = z.strictObject({ cpu: cpu.optional(), ramMb: ramMb.optional(), timeoutMs: timeoutMs.optional() });
export type SomeNeeds = Readonly<z.infer<typeof someNeedsSchema>>;

/** As a submission asks for it; `{}` is enough. */
export const canarySchema = z.strictObject({
  approval: z
    .enum(['automatic', 'by-hand'])
    .default('automatic')
    .describe('`automatic`: the rest goes on with what was learnt; `by-hand`: it waits until somebody approves'),
  least: someNeedsSchema.default({}).describe('what is never gone below, however little the first tasks need'),
});
export type CanaryPlan = Readonly<z.infer<typeof canarySchema>>;

/** What a complete task of a canary has used; null what nobody could tell. */
export const canaryRunSchema = z.object({
  index: z.number().int().min(0),
  ranForMs: z.number().min(0),
  cpuMs: z.number().min(0).nullable(),
  peakRamMb: z.number().int().min(0).nullable(),
});
export type CanaryRun = Readonly<z.infer<typeof canaryRunSchema>>;

export const canaryProposalSchema = z.object({
  /** As the job was submitted. */
  asked: taskNeedsSchema,
  needs: taskNeedsSchema,
  /** A sentence each for CPU, memory and timeout. */
  reasons: z.array(z.string()),
  runs: z.array(canaryRunSchema),
});
export type CanaryProposal = Readonly<z.infer<typeof canaryProposalSchema>>;

/** What became of it. Stored for good. */
export const canaryDecisionSchema = canaryProposalSchema.extend({
  decided: taskNeedsSchema,
  /** Null: it went on by itself. */
  by: z.string().nullable(),
  /** Wall clock. */
  at: z.number(),
});
export type CanaryDecision = Readonly<z.infer<typeof canaryDecisionSchema>>;

/** @returns the first, the middle and the last task of a job; none of a job so small that nothing would be left to hold back */
export function canaryTasks(taskCount: number): readonly number[] {
  return taskCount <= 3 ? [] : [0, Math.floor((taskCount - 1) / 2), taskCount - 1];
}
