import { standsBefore } from './lanes.ts';
import type { Job, Owner, QueueClass } from './model.ts';
import { openHead } from './open-nodes.ts';

/** A class with something to place, and somewhere to place it as far as is known. */
interface Candidate {
  readonly queueClass: QueueClass;
  readonly head: Job;
}

/** The heads of one priority. */
interface Rank {
  readonly priority: number;
  /** Each owner's in the order of their positions, the first at the end. An owner without any is not in here. */
  readonly owners: Map<Owner, Candidate[]>;
}

/**
 * The order in which one turn's classes are served: by the priority of their heads, then by what the owners of these have had,
 * then by position. Owners' shares grow with every placement, so they are compared when a class is taken.
 */
export class PlacementOrder {
  /** The owner of the head that was taken last. */
  taken: Owner | undefined;
  /** Ascending by priority. */
  private readonly ranks: Rank[] = [];

  /** Takes the class in, if there is something to place. */
  add(queueClass: QueueClass): void {
    const head = openHead(queueClass);
    if (head === undefined) return;
    const { owners } = this.rank(head.priority);
    const candidates = owners.get(head.owner);
    if (candidates === undefined) owners.set(head.owner, [{ queueClass, head }]);
    else insert(candidates, { queueClass, head });
  }

  /** Takes out the class that is next. */
  take(): QueueClass | undefined {
    for (let rank = this.ranks.at(-1); rank !== undefined; rank = this.ranks.at(-1)) {
      const owner = leastServed(rank);
      if (owner === undefined) {
        this.ranks.pop();
        continue;
      }
      const { queueClass, head } = takeLast(rank, owner);
      if (openHead(queueClass) === head) {
        this.taken = owner;
        return queueClass;
      }
      // Its head has changed since it was added.
      this.add(queueClass);
    }
    return undefined;
  }

  /** The owner has been given something: others may stand before them now in classes that both wait in. */
  refresh(owner: Owner | undefined): void {
    const rank = this.ranks.at(-1);
    const candidates = owner === undefined ? undefined : rank?.owners.get(owner);
    if (owner === undefined || candidates === undefined || !candidates.some(isShared)) return;
    rank?.owners.delete(owner);
    for (const { queueClass } of candidates) this.add(queueClass);
  }

  private rank(priority: number): Rank {
    let at = this.ranks.length;
    while (at > 0 && (this.ranks[at - 1] as Rank).priority > priority) at--;
    const found = this.ranks[at - 1];
    if (found?.priority === priority) return found;
    const rank: Rank = { priority, owners: new Map() };
    this.ranks.splice(at, 0, rank);
    return rank;
  }
}

function leastServed({ owners }: Rank): Owner | undefined {
  let least: Owner | undefined;
  for (const [owner, candidates] of owners) {
    if (least === undefined || owner.share < least.share) least = owner;
    else if (owner.share === least.share && standsBefore(headOfAll(candidates), headOfAll(owners.get(least) ?? []))) least = owner;
  }
  return least;
}

function headOfAll(candidates: readonly Candidate[]): Job {
  return (candidates.at(-1) as Candidate).head;
}

function takeLast(rank: Rank, owner: Owner): Candidate {
  const candidates = rank.owners.get(owner) as Candidate[];
  const last = candidates.pop() as Candidate;
  if (candidates.length === 0) rank.owners.delete(owner);
  return last;
}

/** Several owners wait in the class at the priority of its head. */
function isShared({ head }: Candidate): boolean {
  return (head.lane?.bucket.lanes.size ?? 0) > 1;
}

function insert(candidates: Candidate[], candidate: Candidate): void {
  let low = 0;
  let high = candidates.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (standsBefore(candidate.head, (candidates[middle] as Candidate).head)) low = middle + 1;
    else high = middle;
  }
  candidates.splice(low, 0, candidate);
}
