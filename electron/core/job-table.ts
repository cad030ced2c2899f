import type { JobId } from '../../shared/ids.ts';
import type { Job } from './model.ts';

const PAGE_BITS = 8;
const PAGE_JOBS = 1 << PAGE_BITS;

interface Page {
  readonly jobs: (Job | null)[];
  /** Jobs in it. */
  count: number;
}

/**
 * The living jobs by id, in pages of neighbours. Ids ascend with time and jobs of like age are worked on together, so that the page
 * of a job was used a moment ago; a hash table of a million jobs misses every cache instead, and holds up the farm when it grows.
 */
export class JobTable {
  size = 0;
  private readonly pages = new Map<number, Page>();

  get(id: JobId): Job | undefined {
    return this.pages.get(pageOf(id))?.jobs[id & (PAGE_JOBS - 1)] ?? undefined;
  }

  has(id: JobId): boolean {
    return this.get(id) !== undefined;
  }

  /** @throws Error when a job of its id is there already */
  add(job: Job): void {
    const number = pageOf(job.id);
    let page = this.pages.get(number);
    if (page === undefined) {
      page = { jobs: new Array<Job | null>(PAGE_JOBS).fill(null), count: 0 };
      this.pages.set(number, page);
    }
    const place = job.id & (PAGE_JOBS - 1);
    if (page.jobs[place] !== null) throw new Error(`job ${job.id} is already in the farm`);
    page.jobs[place] = job;
    page.count++;
    this.size++;
  }

  /** Does nothing when it is not there. */
  delete(id: JobId): void {
    const page = this.pages.get(pageOf(id));
    const place = id & (PAGE_JOBS - 1);
    if (page === undefined || page.jobs[place] === null) return;
    page.jobs[place] = null;
    page.count--;
    this.size--;
    if (page.count === 0) this.pages.delete(pageOf(id));
  }

  /** @returns the jobs by id, ascending */
  *values(): Generator<Job> {
    for (const number of [...this.pages.keys()].sort((one, other) => one - other))
      for (const job of this.pages.get(number)?.jobs ?? []) if (job !== null) yield job;
  }
}

/** Ids may be beyond 32 bits. */
function pageOf(id: JobId): number {
  return Math.floor(id / PAGE_JOBS);
}
