// definitions
publish("t", { type: "table", assertions: { uniqueKey: ["a"] } }).query((ctx) => `SELECT ${h.f(1)} FROM ${ctx.ref("app", "t")}`).preOps("x").tags("y");
operate("o", (ctx) => [`A ${ctx.self()}`, "B"]).hasOutput(true);
assert("s").query("SELECT 1").dependencies([{ name: "t" }]);
declare({ schema: "crm", name: "u" });
try { require("./x") } catch (e) { throw e }
