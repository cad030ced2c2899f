import { setFlagsFromString } from 'node:v8';

/**
 * Tells V8 to make every object among the young. By itself it notes which places in a program made objects that grew old, and has them
 * make the next ones among the old at once (Clifford and others, "Memento Mori", ISMM 2015). In a farm the same places make what a
 * million waiting jobs need for hours and what a turn of the event loop needs for a millisecond; so after a million submissions most
 * garbage of every turn was old, and waited for a collection that looks at the whole farm. Of this process, from now on; a V8 that does
 * not know the flag says so on standard error and goes on.
 */
export function keepNewObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
