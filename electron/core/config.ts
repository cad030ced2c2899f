/** The settings of a farm that its decisions depend on. */
export interface FarmConfig {
  /** Silence after which a node counts as OFFLINE. */
  readonly offlineAfterMs: number;
  /** How long a node whose connection closed keeps its attempts. */
  readonly connectionGraceMs: number;
  /** How long an attempt may be prepared without any sign of progress. */
  readonly assignTimeoutMs: number;
  /** How long past its timeout an attempt may run before the coordinator ends it by itself. */
  readonly timeoutSlackMs: number;
  /** How long a node stays UNHEALTHY the first time; doubles up to `cooldownMaxMs`. */
  readonly cooldownMs: number;
  readonly cooldownMaxMs: number;
  /** Most placements of one turn; what remains is placed in the next. */
  readonly turnPlacements: number;
  /** Farm-wide counters by name: how much of each can be held at once. A limit that is not named here has none. */
  readonly limits: Readonly<Record<string, number>>;
  /** Time that an attempt has to end when it makes room for another. */
  readonly preemptGraceMs: number;
  /** After this time half of what an owner has had is forgotten. */
  readonly fairShareHalfLifeMs: number;
  /** Weights of owners by name; 1 for others. */
  readonly ownerWeights: Readonly<Record<string, number>>;
  /** Most tasks of an owner at once, by name; `*` for others. */
  readonly ownerTasks: Readonly<Record<string, number>>;
}
