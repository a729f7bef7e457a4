// The pages of a running Biwa that holds the juku example, clicked through in a real browser at
// both widths.  Usage: BIWA_URL=http://127.0.0.1:8700 node --test tests/browser/*.test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  assertNothingSticksOut,
  kBase,
  kWidths,
  launch,
  onPage,
  picture,
  writeQuery,
} from "./browser.mjs";

// Chromium itself writes a refused request to the console.
const kRefusedQuery = /status of 400 .*\/api\/v1\/query/;
const kSlowQuery = "SELECT sum(a.i * b.i % 7) FROM range(10000000) a(i), range(10000000) b(i)";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const width of kWidths) {
  describe(`at ${width} pixels`, () => {
    test("the overview shows the stream, its lag, its tables and the models", async () => {
      await onPage(browser, { width }, async (page) => {
        const stream = page.getByRole("article", { name: "app", exact: true });
        await stream.getByText("Streaming").waitFor();
        const lag = await stream.locator(".metrics > div", { hasText: "Lag" }).innerText();
        assert.match(lag, /\d+(\.\d)?\s*(ms|s|min)/);

        await stream.getByRole("button", { name: /\d+ tables/ }).click();
        const answers = stream.getByRole("row", { name: /^answers/ });
        await answers.getByText("Live").waitFor();
        assert.match(await answers.innerText(), /[1-9][\d,]*/);

        const filter = page.getByRole("searchbox", { name: "Filter models" });
        await filter.fill("mart.");
        assert.ok(
          (await page.locator(".models tbody tr:not(.details)").count()) > 0,
          "models of mart",
        );
        await filter.fill("no such model");
        await page.getByText("Nothing matches").waitFor();
        await filter.fill("");
        await assertNothingSticksOut(page);
        await picture(page, `overview-${width}`);
      });
    });

    test("the overview is alive: its numbers move", async () => {
      await onPage(browser, { width }, async (page) => {
        const metrics = page.getByRole("article", { name: "app", exact: true }).locator(".metrics");
        const first = await metrics.innerText();
        await page.waitForFunction(
          (before) =>
            document.querySelector("article[aria-label=app] .metrics").innerText !== before,
          first,
        );
      });
    });

    test("the models' graph leads to a model: its columns, where they come from, its SQL", async () => {
      await onPage(browser, { width, path: "/models" }, async (page) => {
        const graph = page.getByRole("group", { name: "Lineage" });
        await graph.getByRole("link", { name: /^answers app · source/ }).waitFor();
        await assertNothingSticksOut(page);
        await picture(page, `models-${width}`);
        await graph.getByRole("link", { name: /^unit_mastery/ }).click();

        await page.getByRole("heading", { name: /mart\.unit_mastery/ }).waitFor();
        // Its address is good by itself.
        await page.reload();
        await page.getByRole("heading", { name: /mart\.unit_mastery/ }).waitFor();
        const builds = page.getByRole("region", { name: "Builds" });
        assert.match(await builds.getByRole("row").nth(1).innerText(), /B/);
        const mastery = page.getByRole("row", { name: /^mastery/ });
        await mastery.getByText("staging.answers").first().waitFor();
        assert.match(await mastery.innerText(), /DOUBLE/);
        assert.match(await mastery.innerText(), /staging\.answers\.is_correct/);
        await page.locator("pre", { hasText: '${ref("staging", "answers")}' }).waitFor();
        await page.getByRole("button", { name: "Compiled" }).click();
        await page.locator("pre", { hasText: '"staging"."answers"' }).waitFor();
        await assertNothingSticksOut(page);
        await picture(page, `model-${width}`, true);

        // Down to the source, which says where its columns go.
        await mastery.getByRole("link", { name: "staging.answers" }).first().click();
        await page.getByRole("heading", { name: /staging\.answers/ }).waitFor();
        await page.getByRole("row", { name: /^is_correct/ }).getByRole("link", { name: "app.answers" }).first().click();
        await page.getByRole("heading", { name: /app\.answers/ }).waitFor();
        const correct = page.getByRole("row", { name: /^is_correct/ });
        assert.match(await correct.innerText(), /mart\.unit_mastery\.mastery/);
      });
    });

    test("a query counts rows", async () => {
      await onPage(browser, { width, path: "/query" }, async (page) => {
        await writeQuery(page, "SELECT count(*) FROM app.answers");
        await page.getByRole("button", { name: /^Run/ }).click();
        await page.getByText(/^1 row in/).waitFor();
        const count = await page.getByRole("gridcell").first().innerText();
        assert.ok(Number(count) > 0, `count(*) is ${count}`);
        await assertNothingSticksOut(page);
      });
    });

    test("a result of 200,000 rows scrolls to its end, is drawn and is downloaded", async () => {
      await onPage(browser, { width, path: "/query" }, async (page) => {
        await writeQuery(
          page,
          "SELECT i AS n, nullif(i % 7, 0) AS rest FROM range(200000) t(i)",
        );
        await page.keyboard.press("Control+Enter");
        await page.getByText(/^200,000 rows in/).waitFor();
        const grid = page.getByRole("grid");
        assert.equal(await grid.getAttribute("aria-rowcount"), "200001");
        assert.ok(
          (await page.getByRole("row").count()) < 200,
          "only the rows in sight are on the page",
        );
        await grid.focus();
        await page.keyboard.press("Control+End");
        await page
          .locator('[aria-rowindex="200001"]')
          .getByText("199999", { exact: true })
          .waitFor();
        await picture(page, `query-${width}`);

        await page.getByRole("button", { name: "Chart", exact: true }).click();
        await page.locator(".chart canvas").waitFor();
        await picture(page, `query-chart-${width}`);

        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: "Download the result as CSV" }).click(),
        ]);
        const lines = readFileSync(await download.path(), "utf8")
          .trimEnd()
          .split("\r\n");
        assert.equal(lines.length, 200_001);
        assert.match(lines.at(-1), /^199999,/);
      });
    });

    test("a wrong query shows what is wrong with it", async () => {
      await onPage(browser, { width, path: "/query", expected: kRefusedQuery }, async (page) => {
        await writeQuery(page, "SELECT * FROM app.anwsers");
        await page.keyboard.press("Control+Enter");
        const alert = page.getByRole("alert");
        await alert.waitFor();
        assert.match(await alert.innerText(), /anwsers/);
        await picture(page, `query-error-${width}`);
      });
    });

    test("a long query is cancelled by its button and by Escape, and the next one runs", async () => {
      // The browser writes a line for every answer that is not a success: the cancelled query's too.
      await onPage(browser, { width, path: "/query", expected: kRefusedQuery }, async (page) => {
        const cancels = [
          () => page.getByRole("button", { name: /^Cancel/ }).click(),
          () => page.keyboard.press("Escape"),
        ];
        for (const cancel of cancels) {
          await writeQuery(page, kSlowQuery);
          await page.keyboard.press("Control+Enter");
          await page.getByRole("button", { name: /^Cancel/ }).waitFor();
          await page.waitForTimeout(300);
          await cancel();
          await page.getByText(/^Cancelled after/).waitFor();
        }
        await writeQuery(page, "SELECT count(*) FROM app.students");
        await page.keyboard.press("Control+Enter");
        await page.getByText(/^1 row in/).waitFor({ timeout: 5000 });
      });
    });

    test("the catalogue is searched and puts a table into the query", async () => {
      await onPage(browser, { width, path: "/query" }, async (page) => {
        await writeQuery(page, "");
        if (width < 760)
          await page.getByRole("button", { name: "Catalogue", exact: true }).last().click();
        await page.getByRole("searchbox").fill("classroom");
        await page.getByTitle("Insert app.classrooms").click();
        await page.locator(".cm-content", { hasText: "FROM app.classrooms" }).waitFor();
        await page.keyboard.press("Control+Enter");
        await page.getByText(/^\d+ rows in/).waitFor();
      });
    });

    test("a dashboard fills, and its numbers move", async () => {
      await onPage(browser, { width, path: "/dashboards" }, async (page) => {
        await page.locator('a[href="/dashboards/school"]').click();
        await page.locator(".tile").first().waitFor();
        await page.waitForFunction(() => !document.querySelector(".tile .skeleton"));
        assert.equal(await page.locator(".tile [role=alert]").count(), 0, "tiles with an error");
        const charts = await page.locator(".tile-line, .tile-bar").count();
        await page.waitForFunction(
          (n) => document.querySelectorAll(".tile canvas").length === n,
          charts,
        );
        await assertNothingSticksOut(page);
        await picture(page, `dashboard-${width}`);

        const tiles = () => page.locator(".tile").allInnerTexts();
        const first = (await tiles()).join("\n");
        await page.waitForFunction(
          (before) =>
            [...document.querySelectorAll(".tile")].map((tile) => tile.innerText).join("\n") !==
            before,
          first,
        );
        await page.getByText(/^As of/).waitFor();
      });
    });
  });
}

test("a dashboard that loses its connection says so, and comes back", async () => {
  const expected = /\/live/;
  await onPage(browser, { width: 1280, expected }, async (page) => {
    await page.route("**/live", (route) => route.abort());
    await page.goto(`${kBase}/dashboards/school`);
    const again = page.getByRole("button", { name: /Connection lost/ });
    await again.waitFor();
    await page.unroute("**/live");
    await again.click();
    await page.locator(".as-of.open").waitFor();
  });
});

test("a dashboard that is not there says so", async () => {
  await onPage(
    browser,
    { width: 1280, path: "/dashboards/nowhere", expected: /nowhere/ },
    async (page) => {
      await page.getByRole("alert").waitFor();
      await page.getByRole("link", { name: "All dashboards" }).click();
      await page.locator('a[href="/dashboards/school"]').waitFor();
    },
  );
});

test("everything is reached by keyboard alone", async () => {
  await onPage(browser, { width: 1280, expected: kRefusedQuery }, async (page) => {
    await page.getByRole("article", { name: "app", exact: true }).waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");

    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await picture(page, "shortcuts");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });

    await page.keyboard.press("/");
    await page.keyboard.type("mart.");
    assert.equal(await page.getByRole("searchbox").inputValue(), "mart.");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");

    await page.keyboard.press("g");
    await page.keyboard.press("q");
    await page.locator(".cm-content:focus").waitFor();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("SELECT count(*) FROM app.answers");
    await page.keyboard.press("Control+Enter");
    await page.getByText(/^1 row in/).waitFor();
    await page.keyboard.press("Escape");
    for (let i = 0; i < 8; i += 1) {
      if (await page.evaluate(() => document.activeElement.matches("[role=grid]"))) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("ArrowDown");
    assert.equal(
      await page.locator("[role=gridcell].active").count(),
      1,
      "the keyboard is in the result",
    );
    await page.keyboard.press("Control+C");
    await page.getByText(/^Copied 1 cells/).waitFor();

    await page.keyboard.press("g");
    await page.keyboard.press("d");
    const school = page.locator('a[href="/dashboards/school"]');
    await school.waitFor();
    for (let i = 0; i < 20; i += 1) {
      if (await school.evaluate((link) => link === document.activeElement)) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.locator(".tile").first().waitFor();
  });
});

test("the page follows the system's theme and language, and remembers what was chosen", async () => {
  await onPage(browser, { width: 1280, locale: "ja-JP", colorScheme: "dark" }, async (page) => {
    await page.getByRole("link", { name: "ダッシュボード", exact: true }).first().waitFor();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByRole("button", { name: /^テーマ/ }).click();
    const light = await background();
    assert.notEqual(light, dark);
    await page.getByRole("button", { name: "Show in English" }).click();
    await page.getByRole("link", { name: "Dashboards" }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "Dashboards" }).waitFor();
    assert.equal(await background(), light);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    await page.getByRole("article", { name: "app", exact: true }).waitFor();
  });
});
