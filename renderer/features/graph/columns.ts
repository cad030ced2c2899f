/** Something in a graph, by the column and the row that it stands in. */
export interface Placed<Id> {
  readonly id: Id;
  readonly column: number;
  readonly row: number;
}

/**
 * Each stands one column after the last of those it waits for; in a column, in the order given.
 * @param order such that each comes after those it waits for
 */
export function inColumns<Id>(order: readonly Id[], edges: readonly { readonly from: Id; readonly to: Id }[]): Placed<Id>[] {
  const columns = new Map<Id, number>();
  for (const id of order) {
    const before = edges.filter(({ from, to }) => to === id && columns.has(from)).map(({ from }) => columns.get(from) as number);
    columns.set(id, before.length === 0 ? 0 : Math.max(...before) + 1);
  }
  const rows = new Map<number, number>();
  return [...columns].map(([id, column]) => {
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { id, column, row };
  });
}
