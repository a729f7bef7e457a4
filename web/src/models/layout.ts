// Where the nodes of a graph stand that flows from left to right: each in the column behind the last
// of those it needs, in an order that keeps lines short.

export type GraphNode = { name: string; needs: string[] };
export type Place = { column: number; row: number };
export type Layout = { places: Map<string, Place>; columns: number; rows: number };

// What `name` needs and what needs it, over any number of steps; it itself is in it.
export function around(nodes: GraphNode[], name: string): Set<string> {
  const needs = new Map(nodes.map((node) => [node.name, node.needs]));
  const neededBy = new Map<string, string[]>();
  for (const node of nodes) {
    for (const other of node.needs) {
      neededBy.set(other, [...(neededBy.get(other) ?? []), node.name]);
    }
  }
  const found = new Set<string>([name]);
  for (const steps of [needs, neededBy]) {
    const seen = new Set<string>([name]);
    const next = [name];
    while (next.length > 0) {
      for (const other of steps.get(next.pop()!) ?? []) {
        if (seen.has(other)) continue;
        seen.add(other);
        found.add(other);
        next.push(other);
      }
    }
  }
  return found;
}

// Names in `needs` that are no nodes are left out. A cycle, which no project has, is cut somewhere.
export function layOut(nodes: GraphNode[]): Layout {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const columnOf = new Map<string, number>();
  const entered = new Set<string>();
  const columnFor = (name: string): number => {
    const known = columnOf.get(name);
    if (known !== undefined) return known;
    if (entered.has(name)) return 0;
    entered.add(name);
    let column = 0;
    for (const other of byName.get(name)!.needs) {
      if (byName.has(other)) column = Math.max(column, columnFor(other) + 1);
    }
    columnOf.set(name, column);
    return column;
  };
  const columns: string[][] = [];
  for (const name of [...byName.keys()].sort()) {
    const column = columnFor(name);
    while (columns.length <= column) columns.push([]);
    columns[column]!.push(name);
  }

  // A few rounds of: stand where those stand that you are tied to.
  const tied = new Map<string, string[]>([...byName.keys()].map((name) => [name, []]));
  for (const node of nodes) {
    for (const other of node.needs) {
      if (!byName.has(other)) continue;
      tied.get(node.name)!.push(other);
      tied.get(other)!.push(node.name);
    }
  }
  const rowOf = new Map<string, number>();
  const number = (names: string[]) => names.forEach((name, row) => rowOf.set(name, row));
  columns.forEach(number);
  for (let round = 0; round < 8; ++round) {
    const order = round % 2 === 0 ? columns : [...columns].reverse();
    for (const names of order) {
      const wish = new Map(
        names.map((name) => {
          const others = tied.get(name)!;
          const sum = others.reduce((total, other) => total + rowOf.get(other)!, 0);
          return [name, others.length > 0 ? sum / others.length : rowOf.get(name)!];
        }),
      );
      names.sort((a, b) => wish.get(a)! - wish.get(b)! || a.localeCompare(b));
      number(names);
    }
  }
  const rows = Math.max(0, ...columns.map((names) => names.length));
  const places = new Map<string, Place>();
  columns.forEach((names, column) => {
    // Short columns stand in the middle.
    const offset = (rows - names.length) / 2;
    names.forEach((name, row) => places.set(name, { column, row: row + offset }));
  });
  return { places, columns: columns.length, rows };
}
