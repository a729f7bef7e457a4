// Rows that came as Arrow: the batches as they are, and each value made when it is looked at.
import { IntervalUnit, TimeUnit, Type, type DataType, type Table } from "@uwdata/flechette";
import { type Column, type Kind, type Rows, type Value } from "./column";

const kMicrosPerUnit: Record<number, number> = {
  [TimeUnit.SECOND]: 1e6,
  [TimeUnit.MILLISECOND]: 1e3,
  [TimeUnit.MICROSECOND]: 1,
  [TimeUnit.NANOSECOND]: 1e-3,
};

function kindOf(type: DataType): Kind {
  switch (type.typeId) {
    case Type.Int:
    case Type.Float:
    case Type.Decimal:
      return "number";
    case Type.Bool:
      return "boolean";
    case Type.Date:
      return "date";
    case Type.Time:
      return "time";
    case Type.Timestamp:
      return type.timezone ? "timestamptz" : "timestamp";
    case Type.Binary:
    case Type.LargeBinary:
    case Type.BinaryView:
    case Type.FixedSizeBinary:
      return "bytes";
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.ListView:
    case Type.LargeListView:
    case Type.Struct:
    case Type.Map:
    case Type.Union:
      return "nested";
    case Type.Dictionary:
      return kindOf(type.dictionary);
    default:
      return "text";
  }
}

// The type's name as SQL writes it.
function nameOf(type: DataType): string {
  switch (type.typeId) {
    case Type.Int: {
      const name = { 8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT" }[type.bitWidth];
      return type.signed ? name : `U${name}`;
    }
    case Type.Float:
      return type.precision === 2 ? "DOUBLE" : "FLOAT";
    case Type.Decimal:
      return `DECIMAL(${type.precision},${type.scale})`;
    case Type.Bool:
      return "BOOLEAN";
    case Type.Date:
      return "DATE";
    case Type.Time:
      return "TIME";
    case Type.Timestamp:
      return type.timezone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
    case Type.Interval:
      return "INTERVAL";
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Utf8View:
      return "VARCHAR";
    case Type.Binary:
    case Type.LargeBinary:
    case Type.BinaryView:
    case Type.FixedSizeBinary:
      return "BLOB";
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
      return `${nameOf(type.children[0]!.type)}[]`;
    case Type.Struct:
      return `STRUCT(${type.children.map((child) => `${child.name} ${nameOf(child.type)}`).join(", ")})`;
    case Type.Map:
      return "MAP";
    case Type.Dictionary:
      return nameOf(type.dictionary);
    default:
      return "";
  }
}

// 12345 with scale 2 → "123.45"
export function decimalText(scaled: bigint | number, scale: number): string {
  const negative = scaled < 0;
  const digits = String(scaled)
    .replace("-", "")
    .padStart(scale + 1, "0");
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${text}` : text;
}

function intervalText(parts: ArrayLike<number>): string {
  const [months, days, nanos] = [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0];
  const seconds = nanos / 1e9;
  const words = [
    [Math.trunc(months / 12), "y"],
    [months % 12, "mon"],
    [days, "d"],
    [Math.trunc(seconds / 3600), "h"],
    [Math.trunc((seconds % 3600) / 60), "min"],
    [Number((seconds % 60).toFixed(6)), "s"],
  ] as const;
  return (
    words
      .filter(([value]) => value !== 0)
      .map(([value, unit]) => `${value} ${unit}`)
      .join(" ") || "0 s"
  );
}

function valueOf(value: unknown, type: DataType): Value {
  if (value === null || value === undefined) return null;
  switch (type.typeId) {
    case Type.Int: {
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : (value as bigint);
    }
    case Type.Decimal:
      return decimalText(value as bigint, type.scale);
    case Type.Date:
      return (value as number) / 86_400_000;
    case Type.Time:
      return Number(value) * (kMicrosPerUnit[type.unit] ?? 1);
    case Type.Timestamp:
      return Math.round((value as number) * 1000);
    case Type.Interval:
      return type.unit === IntervalUnit.MONTH_DAY_NANO
        ? intervalText(value as Float64Array)
        : String(value);
    case Type.Dictionary:
      return valueOf(value, type.dictionary);
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList: {
      const child = type.children[0]!.type;
      return Array.from(value as Iterable<unknown>, (item) => valueOf(item, child));
    }
    case Type.Struct: {
      const fields = value as Record<string, unknown>;
      return Object.fromEntries(
        type.children.map((child) => [child.name, valueOf(fields[child.name], child.type)]),
      );
    }
    default:
      return value as Value;
  }
}

export class ArrowRows implements Rows {
  columns: Column[] = [];
  private types: DataType[] = [];
  private tables: Table[] = [];
  // Of each table, the row that it begins with.
  private starts: number[] = [];
  private count = 0;

  get rowCount(): number {
    return this.count;
  }

  add(table: Table) {
    if (this.types.length === 0) {
      this.types = table.schema.fields.map(({ type }) => type);
      this.columns = table.schema.fields.map(({ name, type }) => ({
        name,
        type: nameOf(type),
        kind: kindOf(type),
      }));
    }
    if (table.numRows === 0) return;
    this.tables.push(table);
    this.starts.push(this.count);
    this.count += table.numRows;
  }

  value(row: number, column: number): Value {
    if (row < 0 || row >= this.count) return null;
    const at = this.tableOf(row);
    const type = this.types[column];
    const values = this.tables[at]?.getChildAt(column);
    if (!type || !values) return null;
    try {
      return valueOf(values.at(row - this.starts[at]!), type);
    } catch (error) {
      // An interval of more nanoseconds than a number holds, for one: the cell says it.
      return String(error);
    }
  }

  private tableOf(row: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
