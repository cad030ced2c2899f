import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { parseLadder, parseSchedule } from './owner.ts';

/**
 * Every setting: schema, default, unit and a one-line description. `resolveSettings` in
 * `electron/cli` lays command line over environment over the data folder's `settings.json`.
 */
const ms = (description: string, fallback: number, least = 1) =>
  z.number().int().min(least).default(fallback).describe(`${description} (ms)`);

const port = (fallback: number, description: string) =>
  z.number().int().min(0).max(65_535).default(fallback).describe(`${description}; 0 chooses a free one`);

/** What coordinators and workers have in common: how they are found. */
const discoverySettings = {
  discovery: z.boolean().default(true).describe('announce this machine on the local network, and look for others (mDNS)'),
  interfaces: z
    .array(z.string().min(1).max(64))
    .default([])
    .describe('network interfaces (names or networks such as 10.0.0.0/24) to find others on; default: those that lead to a local network'),
};

/** Says what is wrong with a text that `parse` does not understand. */
function refineBy(parse: (text: string) => unknown) {
  return (text: string, context: z.RefinementCtx) => {
    const parsed = parse(text);
    if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
  };
}

const ladder = (when: string, fallback: string) =>
  z
    .string()
    .max(200)
    .default(fallback)
    .superRefine(refineBy(parseLadder))
    .describe(`what happens to work ${when}: \`slow\`, \`pause\` and \`return\` with how long each lasts, or \`ignore\``);

export const coordinatorSettingsSchema = z.strictObject({
  farmName: z.string().min(1).max(LIMITS.nameLength).default('farm').describe('name of the farm, when it is made'),
  ...discoverySettings,
  host: z.string().default('127.0.0.1').describe('loopback address the API listens on for this machine, without TLS'),
  port: port(7420, 'port the API listens on for this machine'),
  lanHost: z
    .string()
    .min(1)
    .nullable()
    .default('0.0.0.0')
    .describe('address that other machines reach, with TLS; none: no other machine does'),
  apiPort: port(7421, 'port of the API for other machines, with TLS'),
  peerPort: port(7422, 'port that the workers of the farm connect to, with TLS on both sides'),
  hostNames: z.array(z.string().min(1).max(253)).default([]).describe('other names that people reach this coordinator by'),
  wakeAddresses: z
    .array(z.string().regex(/^\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?$/, 'expected an IPv4 address, or one with a port'))
    .max(64)
    .default([])
    .describe('where packets that wake machines are sent; default: the broadcast address of each network'),
  provisionMost: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(8)
    .describe('machines that the farm may have woken or made at one time; 0: none'),
  provisionAfterMs: ms('how long work must wait for busy machines before another is brought up', 30_000, 0),
  provisionChangeMs: ms('how long a machine may take to come up or to go', 300_000, 1_000),
  provisionBackoffMs: ms('how long a machine that did not come up is left alone the first time; doubles', 60_000, 0),
  provisionBackoffMostMs: ms('longest time that it is left alone', 3_600_000, 0),
  provisionCommand: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe("makes and removes machines: it is given `start` or `stop`, and a machine's name"),
  provisionMachines: z.number().int().min(1).max(1_000).default(1).describe('machines that the command can make'),
  provisionCpu: z.number().min(0.1).max(4_096).default(4).describe('CPU cores of each of them'),
  provisionRamMb: z.number().int().min(64).max(16_777_216).default(8_192).describe('memory of each of them (MiB)'),
  provisionSlots: z.number().int().min(1).max(4_096).default(2).describe('tasks that each of them takes at once'),
  provisionLabels: z
    .record(z.string().min(1).max(LIMITS.labelLength), z.string().max(LIMITS.labelLength))
    .default({})
    .describe('labels that each of them carries'),
  provisionIdleMs: ms('how long one of them must have had no work before it is removed', 600_000, 0),
  defaultImage: z.string().nullable().default('debian:stable-slim').describe('image of jobs that name none; null: the host executor'),
  heartbeatMs: ms('how often a worker reports', 10_000, 50),
  offlineAfterMs: ms('silence after which a node counts as OFFLINE', 30_000, 100),
  connectionGraceMs: ms('how long a node whose connection closed keeps its attempts', 5_000, 0),
  assignTimeoutMs: ms('how long an attempt may be prepared without any sign of progress', 600_000, 1_000),
  timeoutSlackMs: ms('how long past its timeout the coordinator waits for the worker to report it', 60_000, 100),
  cooldownMs: ms('how long a node stays UNHEALTHY the first time; doubles', 30_000, 10),
  cooldownMaxMs: ms('longest time a node stays UNHEALTHY', 900_000, 10),
  limits: z
    .record(z.string().min(1).max(LIMITS.labelLength), z.coerce.number().int().min(0).max(1_000_000))
    .default({})
    .describe('counters that the whole farm shares (licences): how much of each can be held at once'),
  preemptGraceMs: ms('time that a preemptible task has to end when it makes room for a higher priority', 30_000, 0),
  fairShareHalfLifeMs: ms('after this time half of what an owner has had of the farm is forgotten', 86_400_000, 1_000),
  ownerWeights: z
    .record(z.string().min(1).max(LIMITS.nameLength), z.coerce.number().min(0.01).max(1_000))
    .default({})
    .describe('weights of owners in the fair share; 1 for those who are not named'),
  ownerTasks: z
    .record(z.string().min(1).max(LIMITS.nameLength), z.coerce.number().int().min(0).max(LIMITS.tasksPerJob))
    .default({})
    .describe('most tasks of an owner at once, by name; `*` for all who are not named'),
  maxUploadBytes: z.number().int().min(1).max(LIMITS.blobBytes).default(LIMITS.blobBytes).describe('largest upload (bytes)'),
  fetchUrls: z.boolean().default(false).describe('download inputs named by URL (fileUrl of the earlier interface)'),
  logBytesPerAttempt: z
    .number()
    .int()
    .min(64 * 1024)
    .default(64 * 1024 * 1024)
    .describe('log kept of one attempt, head and tail (bytes)'),
});
export type CoordinatorSettings = Readonly<z.infer<typeof coordinatorSettingsSchema>>;

export const workerSettingsSchema = z.strictObject({
  name: z.string().min(1).max(LIMITS.nameLength).optional().describe('name of this node; default: the host name'),
  zone: z.string().max(LIMITS.labelLength).default('').describe('where it stands, for zone affinity'),
  ...discoverySettings,
  labels: z.record(z.string().min(1).max(LIMITS.labelLength), z.string().max(LIMITS.labelLength)).default({}).describe('labels it carries'),
  maxParallel: z.number().int().min(1).max(4096).optional().describe('attempts at once; default: half of the CPUs, at least 1'),
  cpu: z.number().min(0.1).optional().describe('CPU cores it shares; default: all'),
  ramMb: z.number().int().min(64).optional().describe('memory it shares (MiB); default: all but a tenth'),
  host: z.boolean().default(false).describe('run jobs without a container, as this user (host executor)'),
  docker: z.boolean().default(true).describe('run jobs in containers'),
  dockerSocket: z.string().optional().describe("the engine's socket or address; default: the usual places"),
  allowNetwork: z.boolean().default(false).describe('let jobs that ask for it have a network'),
  allowedImages: z.array(z.string()).optional().describe('images that may run here, as globs; default: all'),
  dockerTimeoutMs: ms("longest run of an attempt, over the job's own", LIMITS.timeoutMs, 1_000),
  dockerMemoryMb: z.number().int().min(4).optional().describe('most memory of one container (MiB)'),
  dockerCpus: z.number().min(0.01).optional().describe('most CPU cores of one container'),
  fastStart: z.boolean().default(true).describe('join the network namespace of a warm holder container'),
  cacheMb: z.number().int().min(1).default(20_480).describe('size of the input cache (MiB)'),
  logBytesPerAttempt: z
    .number()
    .int()
    .min(64 * 1024)
    .default(64 * 1024 * 1024)
    .describe('log kept of one attempt, head and tail (bytes)'),
  schedule: z
    .string()
    .max(1_000)
    .default('')
    .superRefine(refineBy(parseSchedule))
    .describe('hours in which work may run here, by the clock of this machine: `mo-fr 18:00-08:00, sa-su 00:00-24:00`; empty: always'),
  outsideSchedule: ladder('outside these hours', 'return'),
  idleAfterMs: ms('nobody is at the machine when the last input is so long ago', 300_000, 1_000),
  whenActive: ladder('while somebody is at the machine', 'ignore'),
  whenOnBattery: ladder('on battery', 'pause 5m return'),
  busyPercent: z
    .number()
    .min(1)
    .max(100)
    .default(50)
    .describe('CPU used by other programs above which the machine is busy (% of all cores)'),
  whenBusy: ladder('while it is busy with other programs', 'ignore'),
  whenPaused: ladder('when the owner pauses it', 'pause 15m return'),
  wakeable: z.boolean().default(false).describe('let the farm wake this machine (wake-on-LAN)'),
  sleepAfterMs: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('let the farm put this machine to sleep when it had no work for so long (ms); default: never'),
  sleepBy: z.string().min(1).max(4_096).default('suspend').describe('how it goes to sleep: `suspend`, `shutdown`, or a command'),
  slowPercent: z.number().min(1).max(100).default(25).describe('share of its CPU that a slowed task keeps (%)'),
  ownerClearMs: ms('how long battery and load must be over before work goes on', 30_000, 0),
  stopGraceMs: ms('time between asking a task to end and killing it', 5_000, 0),
});
export type WorkerSettings = Readonly<z.infer<typeof workerSettingsSchema>>;

/** What the owner of a machine may change while it works: when it is the farm's, and what happens to its tasks when it is not. */
export const ownerSettingsSchema = workerSettingsSchema.pick({
  schedule: true,
  outsideSchedule: true,
  whenActive: true,
  idleAfterMs: true,
  whenOnBattery: true,
  whenBusy: true,
  busyPercent: true,
  whenPaused: true,
});
export type OwnerSettings = Readonly<z.infer<typeof ownerSettingsSchema>>;

/** Settings of the desktop app alone. */
export const desktopSettingsSchema = z.strictObject({
  startAtLogin: z.boolean().default(false).describe('start hidden, in the tray, when the user logs in'),
  closeToTray: z.boolean().default(true).describe('closing the window leaves the app at work in the tray'),
  notifyJobs: z.boolean().default(true).describe('a notification when a job ends and no window of the app is in front'),
  updates: z.enum(['automatic', 'ask', 'off']).default('automatic').describe('off: for labs that install updates themselves'),
  updateUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('address of the folder with the update feed; default: that of the build'),
  updateKey: z.string().max(1_000).optional().describe('Ed25519 public key that signs that feed (base64); default: that of the build'),
});
export type DesktopSettings = Readonly<z.infer<typeof desktopSettingsSchema>>;
