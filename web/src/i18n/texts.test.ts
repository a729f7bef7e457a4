import { expect, test } from "vitest";
import { en } from "./en";
import { fill } from "./fill";
import { ja } from "./ja";

const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test("a text has the same places in both languages", () => {
  for (const key of Object.keys(en) as (keyof typeof en)[])
    expect(places(ja[key]), key).toEqual(places(en[key]));
});

test("places are filled, and an unknown one stays to be seen", () => {
  expect(fill("{n} of {m}", { n: "1", m: "2" })).toBe("1 of 2");
  expect(fill("{n} of {m}", { n: "1" })).toBe("1 of {m}");
});
