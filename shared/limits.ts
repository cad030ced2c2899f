/**
 * Every bound of the system, with its unit and what happens when it is reached.
 * A bound that people may want to change is a setting instead (`settings.ts`).
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export const LIMITS = {
  /** Tasks in one job; a larger submission is refused. */
  tasksPerJob: 10_000_000,
  /** Frames, parameters and values named in one submission, before they are multiplied. */
  valuesPerParameter: 100_000,
  parametersPerJob: 16,
  /** Exclusions of a matrix; each is checked against each combination. */
  matrixExcludes: 1_000,
  /** Combinations of a matrix that has exclusions (without any, `tasksPerJob` holds). */
  matrixWithExcludes: 100_000,
  nameLength: 200,
  commandLength: 64 * KIB,
  commandArguments: 1_000,
  environmentVariables: 256,
  environmentValueLength: 32 * KIB,
  outputGlobs: 64,
  labels: 64,
  labelLength: 128,
  /** Characters of a condition on labels, conditions inside each other, and preferences of a job. */
  expressionLength: 1_000,
  expressionDepth: 32,
  preferences: 8,
  farmLimits: 32,
  dependencies: 1_000,
  /** Jobs whose tasks the tasks of one job wait for, one by one; and the most tasks of such a job: each costs a byte of memory. */
  taskDependencies: 8,
  gatedTasks: 100_000,
  /** Stages of one submission. */
  stages: 64,
  /** Longest timeout of a task: 30 days, in milliseconds. */
  timeoutMs: 30 * 24 * 3600 * 1000,
  retries: 100,

  /** Templates of one farm beside those that come with the program; one more is refused. */
  templates: 500,
  templateFields: 64,
  templateOptions: 100,
  templatePresets: 32,
  templateTextLength: 4 * KIB,
  templateListValues: 1_000,
  /** The file of a template, in bytes; a larger one is not read. */
  templateBytes: 256 * KIB,

  /** One JSON message between nodes, in bytes; a larger one closes the connection. */
  messageBytes: 16 * MIB,
  /** One log frame between nodes, in bytes of payload. */
  logFrameBytes: 256 * KIB,
  /** Attempts named in one message. */
  attemptsPerMessage: 1_000,
  /** Unsent bytes to a worker beyond which it counts as stalled and is disconnected. */
  linkBufferBytes: 64 * MIB,
  /** Unsent log bytes beyond which a worker waits before it reads more of its spool. */
  linkLogWindowBytes: 4 * MIB,

  /** One API request's JSON body, in bytes. */
  requestBytes: 8 * MIB,
  /** Jobs of one `POST /api/jobs/batch`. */
  jobsPerRequest: 1_000,
  /** Rows a page of a list; a larger wish is refused. */
  pageRows: 1_000,
  /** Unsent bytes to a viewer of the event stream beyond which it is cut off (it reconnects to a fresh snapshot). */
  viewerBufferBytes: 8 * MIB,

  /** A blob, in bytes. */
  blobBytes: 64 * GIB,
  /** Entries of a zip, its unpacked bytes, and unpacked/packed beyond which it counts as a bomb. */
  zipEntries: 200_000,
  zipBytes: 256 * GIB,
  zipRatio: 1_000,
  /** Below this many unpacked bytes the ratio is not looked at: tiny files of zeros compress very well. */
  zipRatioFromBytes: 16 * MIB,
  pathLength: 1_024,
  pathSegmentBytes: 255,
  /** Output files of one attempt; more fail the attempt. */
  outputFiles: 10_000,

  /** Threads that hash, unpack and pack; more work shares them. */
  fileThreads: 4,

  /**
   * A disk with less room, or less than a fiftieth of it if that is less, counts as full: to a worker whose command failed, and
   * for logs and blobs, which leave the rest to the database.
   */
  diskFloorBytes: 128 * MIB,

  /** A file of which a thumbnail is made, in bytes; no picture of a larger one is shown. */
  thumbnailSourceBytes: 256 * MIB,
  /** Pixels of such a picture; EXR is decoded whole, at eight bytes a pixel. */
  thumbnailPixels: 100_000_000,
  thumbnailExrPixels: 36_000_000,
  /** Longest time for one thumbnail, ms; then its file counts as no picture. */
  thumbnailMs: 20_000,
  /** Thumbnails asked for and not made yet; more are refused. */
  thumbnailsWaiting: 500,
  /** Files remembered to be no pictures. */
  thumbnailsRefused: 10_000,
  /** Thumbnails kept on the coordinator's disk, in bytes; what was not used for longest goes. */
  thumbnailCacheBytes: 512 * MIB,

  /** Times that a task makes room for others; then it is left alone. Attempts looked at to make room once. */
  preemptions: 4,
  preemptionCandidates: 64,
  /** Requeues of one task that cost no retry (nodes lost, owners interrupting); then it fails with the last reason. */
  freeRequeues: 100,
  /** Nodes that a task remembers to avoid. */
  avoidedNodes: 8,
  /** Placements of one turn of the coordinator's event loop, which others wait for. */
  turnPlacements: 256,
  /** Nodes looked at in full for one placement. */
  placementCandidates: 16,
  /** The same for a job that prefers some nodes to others. */
  preferenceCandidates: 64,
  /** Inputs, and images, that a machine tells of when it is asked what its cache holds; older ones are left out. */
  cacheEntries: 5_000,
  /** Receipts that a machine keeps of what ran on it, in bytes; the oldest go. */
  receiptBytes: 8 * MIB,
  /** Ended attempts a worker keeps until the coordinator has acknowledged them; then it takes no more work. */
  unacknowledgedEnds: 10_000,
} as const;
