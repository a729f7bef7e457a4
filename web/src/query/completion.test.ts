import { describe, expect, test } from "vitest";
import type { Catalog } from "../api/types";
import { columnCompletions, completionSchema, quoteName, tablesNamed } from "./completion";

const column = (name: string, type: string) => ({ name, type, description: null });
const catalog: Catalog = {
  datasets: [
    {
      name: "app",
      tables: [
        {
          name: "answers",
          kind: "table",
          rows: 1,
          columns: [column("id", "BIGINT"), column("答え", "VARCHAR")],
        },
        {
          name: "students",
          kind: "table",
          rows: 1,
          columns: [column("id", "BIGINT"), column("name", "VARCHAR")],
        },
      ],
    },
    {
      name: "mart",
      tables: [{ name: "daily", kind: "view", rows: null, columns: [column("day", "DATE")] }],
    },
  ],
};

test("a name is quoted only where SQL needs it", () => {
  expect(quoteName("answers")).toBe("answers");
  expect(quoteName("Answers")).toBe('"Answers"');
  expect(quoteName("答え")).toBe('"答え"');
  expect(quoteName('a"b')).toBe('"a""b"');
  expect(quoteName("1st")).toBe('"1st"');
});

test("datasets, tables and columns are offered, each with what it is", () => {
  const schema = completionSchema(catalog) as unknown as Record<
    string,
    { self: object; children: Record<string, { self: object; children: object[] }> }
  >;
  expect(Object.keys(schema)).toEqual(["app", "mart"]);
  expect(schema.app!.children.answers!.self).toMatchObject({ label: "answers", detail: "table" });
  expect(schema.app!.children.answers!.children[1]).toMatchObject({
    label: "答え",
    apply: '"答え"',
    detail: "VARCHAR",
  });
});

describe("bare columns", () => {
  test("are those of the tables that the query names", () => {
    expect(
      tablesNamed("SELECT  FROM app.answers a JOIN app.students s", catalog).map(
        ({ name }) => name,
      ),
    ).toEqual(["answers", "students"]);
    const labels = columnCompletions("SELECT  FROM app.answers JOIN app.students", catalog);
    expect(labels.map(({ label }) => label)).toEqual(["id", "答え", "name"]);
    expect(labels[0]!.detail).toBe("BIGINT · answers, students");
  });
  test("are none where no table is named", () => {
    expect(columnCompletions("SELECT answers", catalog)).toEqual([]);
    expect(columnCompletions("SELECT 1 FROM app.answers2", catalog)).toEqual([]);
    expect(columnCompletions("", catalog)).toEqual([]);
  });
});
