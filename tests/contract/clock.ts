import { describe, expect, test } from 'vitest';
import type { Clock } from '../../electron/ports/system.ts';

/** A clock under test, and how to let its time pass until something has happened. */
export interface ClockHarness {
  readonly clock: Clock;
  until(happened: () => boolean): Promise<void>;
}

/** What every `Clock` must do. */
export function clockContract(name: string, make: () => ClockHarness): void {
  describe(`${name} is a Clock`, () => {
    test('wallMs is a whole number of milliseconds', () => {
      expect(Number.isSafeInteger(make().clock.wallMs())).toBe(true);
    });

    test('elapsedMs never goes back', async () => {
      const { clock, until } = make();
      let last = clock.elapsedMs();
      let called = false;
      clock.after(5, () => {
        called = true;
      });
      await until(() => {
        const now = clock.elapsedMs();
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
        return called;
      });
    });

    test('after calls once, later and never early', async () => {
      const { clock, until } = make();
      const startMs = clock.elapsedMs();
      const calledAt: number[] = [];
      let lastCalled = false;
      clock.after(7, () => calledAt.push(clock.elapsedMs() - startMs));
      clock.after(25, () => {
        lastCalled = true;
      });
      expect(calledAt).toEqual([]);
      await until(() => lastCalled);
      expect(calledAt).toHaveLength(1);
      expect(calledAt[0]).toBeGreaterThanOrEqual(7);
    });

    test('after calls in the order of the deadlines', async () => {
      const { clock, until } = make();
      const calls: string[] = [];
      clock.after(30, () => calls.push('third'));
      clock.after(-5, () => calls.push('first'));
      clock.after(10, () => calls.push('second'));
      expect(calls).toEqual([]);
      await until(() => calls.length === 3);
      expect(calls).toEqual(['first', 'second', 'third']);
    });

    test('a callback may ask for another', async () => {
      const { clock, until } = make();
      let calls = 0;
      const again = (): void => {
        calls++;
        if (calls < 3) clock.after(1, again);
      };
      clock.after(0, again);
      await until(() => calls === 3);
      expect(calls).toBe(3);
    });

    test('what is disposed is not called, and disposing again or too late does nothing', async () => {
      const { clock, until } = make();
      const calls: string[] = [];
      const dispose = clock.after(2, () => calls.push('disposed'));
      const disposeLate = clock.after(4, () => calls.push('called'));
      dispose();
      dispose();
      await until(() => calls.length > 0);
      disposeLate();
      clock.after(5, () => calls.push('last'));
      await until(() => calls.length > 1);
      expect(calls).toEqual(['called', 'last']);
    });

    test('an endless wait is no immediate call', async () => {
      const { clock, until } = make();
      let called = false;
      let passed = false;
      const dispose = [60 * 24 * 3_600_000, Number.POSITIVE_INFINITY].map((ms) =>
        clock.after(ms, () => {
          called = true;
        }),
      );
      clock.after(5, () => {
        passed = true;
      });
      await until(() => passed);
      expect(called).toBe(false);
      for (const end of dispose) end();
    });

    test('a wait that is no number is a mistake of the program', () => {
      expect(() => make().clock.after(Number.NaN, () => {})).toThrow('not a number');
    });
  });
}
