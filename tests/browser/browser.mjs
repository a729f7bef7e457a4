// A real browser on a running Biwa, watched: what a page may never do fails the test that opened it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const kBase = process.env.BIWA_URL?.replace(/\/$/, "");
if (!kBase)
  throw new Error("BIWA_URL is not set: it says where Biwa runs, e.g. http://127.0.0.1:8700");

const kArtifacts = fileURLToPath(new URL("../artifacts/", import.meta.url));
mkdirSync(kArtifacts, { recursive: true });

export const kWidths = [1280, 390];

export function launch() {
  return chromium.launch({
    executablePath: process.env.BIWA_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

// Opens a page of this width and gives it to `visit`. Afterwards nothing may have been asked of
// another origin, and nothing said on the console but what `expected` matches.
export async function onPage(browser, { width, path = "/", expected = null, ...context }, visit) {
  const opened = await browser.newContext({
    viewport: { width, height: width > 760 ? 860 : 844 },
    locale: "en-US",
    timezoneId: "Asia/Tokyo",
    acceptDownloads: true,
    ...context,
  });
  const complaints = [];
  const elsewhere = [];
  try {
    const page = await opened.newPage();
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => {
      const text = `${message.text()} (${message.location().url})`;
      if (["error", "warning"].includes(message.type()) && !expected?.test(text))
        complaints.push(text);
    });
    page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${kBase}/`) && !url.startsWith("blob:")) elsewhere.push(url);
    });
    await page.goto(kBase + path);
    await visit(page);
    assert.deepEqual(elsewhere, [], "requests to another origin");
    assert.deepEqual(complaints, [], "errors on the console");
  } finally {
    await opened.close();
  }
}

export async function picture(page, name, fullPage = false) {
  await page.screenshot({ path: `${kArtifacts}${name}.png`, fullPage });
}

export async function assertNothingSticksOut(page) {
  const [content, view] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    window.innerWidth,
  ]);
  assert.ok(content <= view, `the page is ${content} px wide in a window of ${view} px`);
}

// Replaces what is in the editor, as hands do.
export async function writeQuery(page, sql) {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(sql);
}
