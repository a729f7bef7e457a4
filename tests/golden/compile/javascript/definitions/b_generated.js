const day = require("dates");

["JP", "FR"].forEach((country) => {
  publish(`users_${country}`, { type: "table", description: `users of ${country}` })
    .tags(["country"])
    .query((ctx) => `
      SELECT ${constants.COLUMNS.join(", ")}, ${day("created_at")} AS day
      FROM ${ctx.ref("app", "users")} WHERE country = '${country}'`)
    .preOps((ctx) => [`SET memory_limit = '1GB'`, ""])
    .postOps("SELECT 1");
});

publish("steps").type("incremental").schema("other").uniqueKey(["id"]).query(
  (ctx) => `SELECT * FROM ${ctx.ref("answers")} ${helpers.keep(ctx)} -- ${ctx.self()} ${ctx.name()} ${ctx.schema()}`);

publish("plain", "SELECT 1 AS one").disabled();
publish("checked", {
  type: "table",
  assertions: { uniqueKey: ["id"], nonNull: "pupil_id" },
  dependencies: [{ schema: "other", name: "steps" }],
  columns: { id: "the answer", pupil_id: { description: "who" } },
}).query((ctx) => `SELECT * FROM ${ctx.ref({ schema: "app", name: "answers" })}`);

operate("export_users", (ctx) => [`DELETE FROM ${ctx.self()}`, `INSERT INTO ${ctx.self()} SELECT 1`])
  .hasOutput(true).dependencies("plain");
operate("upkeep").queries("CALL enable_logging()").setDependOnDependencyAssertions(true).dependencies(["checked"]);

assert("no_slow", (ctx) => `SELECT * FROM ${ctx.ref(["app", "answers"])} WHERE seconds > 1000`)
  .description("nobody thinks so long").tags("slow");
