// What the overview says of the last comparison with the source: equal, what differs, repaired. Needs
// the source (PGHOST and its like) and the project (BIWA_PROJECT) beside BIWA_URL: scripts/test-browser.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { assertNothingSticksOut, kWidths, launch, onPage, picture } from "./browser.mjs";

const kProject = process.env.BIWA_PROJECT;
const kBiwa = fileURLToPath(new URL("../../build/release/biwa", import.meta.url));

function run(program, ...words) {
  const done = spawnSync(program, words, { encoding: "utf8", timeout: 120_000 });
  return { code: done.status, said: done.stdout + done.stderr };
}

// 0: all is equal. 1: something differs.
function reconcile(code, ...words) {
  const done = run(kBiwa, "--project", kProject, "reconcile", "app", ...words);
  assert.equal(done.code, code, done.said);
}

// A change of a table in a way that its stream does not hear of.
function changeUnseen(table, sql) {
  const text = `BEGIN; ALTER PUBLICATION biwa_app DROP TABLE ${table}; ${sql};
    ALTER PUBLICATION biwa_app ADD TABLE ONLY ${table}; COMMIT`;
  const done = run("psql", "-d", "juku", "-v", "ON_ERROR_STOP=1", "-qc", text);
  assert.equal(done.code, 0, done.said);
}

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

describe("the last comparison with the source", { skip: !kProject || !process.env.PGHOST }, () => {
  for (const width of kWidths) {
    test(`is on the page, and follows by itself what comes of the next, at ${width} pixels`, async () => {
      reconcile(0, "--repair");
      await onPage(browser, { width }, async (page) => {
        const compared = page.getByRole("article", { name: "app", exact: true }).locator(".compared");
        const all = /Compared with the source: (\d+) of \1 tables equal, \S+/;
        await compared.getByText(all).waitFor();
        assert.equal(await compared.locator(".warn-text").count(), 0);
        const [, tables] = all.exec(await compared.innerText());

        changeUnseen("units", "UPDATE units SET name = name || '!' WHERE id IN (7, 9)");
        reconcile(1);
        await compared
          .getByText(`Compared with the source: ${tables - 1} of ${tables} tables equal,`)
          .waitFor();
        const differs = "public.units differs: 0 missing, 0 extra, 2 different: 7 · 9";
        await compared.locator(".warn-text").getByText(differs).waitFor();
        await assertNothingSticksOut(page);
        await picture(page, `reconciliation-${width}`, true);

        reconcile(0, "--repair");
        await compared.getByText(all).waitFor();
        await compared.getByText("differs").waitFor({ state: "detached" });
        // It is remembered, not only told.
        await page.reload();
        await compared.getByText(all).waitFor();
      });
    });
  }
});
