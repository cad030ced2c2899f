import type { Machine, ProvisionEffect, ProvisionRules } from '../../electron/core/provisioning.ts';

interface Brought {
  readonly sinceMs: number;
  wasUp: boolean;
}

/** What the farm has brought up, counted again from nothing but what was asked for and what is up. */
export class ProvisionReferee {
  private readonly rules: ProvisionRules;
  private readonly fail: (message: string) => never;
  private readonly brought = new Map<string, Brought>();
  private readonly failures = new Map<string, number>();
  private readonly notBeforeMs = new Map<string, number>();

  constructor(rules: ProvisionRules, fail: (message: string) => never) {
    this.rules = rules;
    this.fail = fail;
  }

  /** The provisioner has looked at the farm and decided. */
  judge(machines: readonly Machine[], effects: readonly ProvisionEffect[], nowMs: number): void {
    for (const machine of machines) this.follow(machine, nowMs);
    const byId = new Map(machines.map((machine) => [machine.id, machine]));
    for (const effect of effects) this.judgeEffect(effect, byId.get(effect.machine), nowMs);
    if (this.brought.size > this.rules.most) this.fail(`${this.brought.size} machines are brought up, and ${this.rules.most} may be`);
  }

  private follow({ id, isUp }: Machine, nowMs: number): void {
    const one = this.brought.get(id);
    if (isUp) this.failures.delete(id);
    if (one === undefined) return;
    if (isUp) one.wasUp = true;
    else if (one.wasUp) this.brought.delete(id);
    else if (nowMs - one.sinceMs >= this.rules.changeMs) {
      const failures = (this.failures.get(id) ?? 0) + 1;
      this.failures.set(id, failures);
      this.brought.delete(id);
      this.notBeforeMs.set(id, nowMs + Math.min(this.rules.backoffMostMs, this.rules.backoffMs * 2 ** (failures - 1)));
    }
  }

  private judgeEffect(effect: ProvisionEffect, machine: Machine | undefined, nowMs: number): void {
    const { machine: id } = effect;
    if (machine === undefined) this.fail(`${id} is no machine, and is told to ${effect.type}`);
    const one = this.brought.get(id);
    if (effect.type === 'let-go') {
      if (machine.isUp && !machine.isIdle) this.fail(`${id} is let go, and has work`);
      return;
    }
    if (machine.isUp) this.fail(`${id} is brought up, and is up`);
    if (effect.isRepeat) {
      if (one === undefined || machine.kind === 'made') this.fail(`${id} is asked again to come up, and is ${machine.kind}`);
      return;
    }
    if (one !== undefined) this.fail(`${id} is brought up a second time, and the first has not failed`);
    if (nowMs < (this.notBeforeMs.get(id) ?? 0)) this.fail(`${id} is brought up before its back-off is over`);
    this.brought.set(id, { sinceMs: nowMs, wasUp: false });
  }
}
